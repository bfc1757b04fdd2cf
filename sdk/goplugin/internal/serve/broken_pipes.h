#ifndef GOPLUGIN_INTERNAL_SERVE_BROKEN_PIPES_H_
#define GOPLUGIN_INTERNAL_SERVE_BROKEN_PIPES_H_

namespace goplugin::internal {

// While it lives, a write to a pipe that nobody reads any more is an error and
// not the process's end: a plugin that was left running has such pipes.
//
// SIGPIPE gets a handler that does nothing, and only where it had its default.
// It is not ignored: programs that the plugin starts would inherit that. The
// disposition is the whole process's. Not thread-safe.
class BrokenPipes {
 public:
  BrokenPipes();
  // Puts the default back if this one has replaced it, unless somebody else has
  // set something meanwhile.
  ~BrokenPipes();
  BrokenPipes(const BrokenPipes&) = delete;
  BrokenPipes& operator=(const BrokenPipes&) = delete;

 private:
  const bool took_it_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_BROKEN_PIPES_H_
