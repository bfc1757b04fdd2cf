#ifndef GOPLUGIN_INTERNAL_SUPERVISE_HOST_CODE_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_HOST_CODE_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "goplugin/client_options.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

// Counts the SDK's threads that are in the host's own code: one that is never
// let go from there is lost to the process. Thread-safe.
class HostCode {
 public:
  // The thread is in there meanwhile; once, however deep it is. The host's own
  // threads are its own affair, and are not counted.
  class Visit {
   public:
    explicit Visit(HostCode& code)
        : code_(OnSdkThread() && inside != &code ? &code : nullptr),
          outer_(inside) {
      if (code_ == nullptr) return;
      ++code_->threads_;
      inside = code_;
    }
    ~Visit() {
      if (code_ == nullptr) return;
      inside = outer_;
      --code_->threads_;
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    // Where the thread is.
    inline static thread_local HostCode* inside = nullptr;

    HostCode* const code_;
    HostCode* const outer_;
  };

  std::int64_t threads() const { return threads_; }

 private:
  std::atomic<std::int64_t> threads_{0};
};

// Has each visit counted that a client with these options makes, but those of
// `telemetry` and `log_sink`, which a generation wraps itself.
void CountVisits(std::shared_ptr<HostCode> code, ClientOptions& options);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_HOST_CODE_H_
