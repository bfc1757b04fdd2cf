#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_PROCESS_EXIT_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_PROCESS_EXIT_H_

namespace goplugin::internal {

// The orderly exit of the whole process: main has returned, or somebody has
// called exit(). What libraries registered for it runs then, last come first
// served, while all threads go on: whatever is at work in OpenSSL after its own
// turn crashes.

// Has `end` run when the exit begins, before what is registered by then: call
// it after what must not go first has been initialised. `end` runs once, on the
// exiting thread, however often this is called; it is the same each time.
// Thread-safe.
void BeforeExit(void (*end)());

// The same again, after something else has been initialised.
void StayFirstAtExit();

// Whether the exit has begun. Thread-safe.
bool ExitHasBegun();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_PROCESS_EXIT_H_
