#ifndef GOPLUGIN_INTERNAL_LOOP_SDK_THREAD_H_
#define GOPLUGIN_INTERNAL_LOOP_SDK_THREAD_H_

#include <thread>

#include "absl/functional/any_invocable.h"

namespace goplugin::internal {

// Starts a thread of the SDK: named `name` (at most 15 bytes, "goplugin-..."),
// with every signal blocked, so that the host's handlers never run on it.
std::thread StartSdkThread(const char* name, absl::AnyInvocable<void()> body);

// Whether the caller runs on a thread that StartSdkThread made. Blocking there
// could wait for itself.
bool OnSdkThread();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_SDK_THREAD_H_
