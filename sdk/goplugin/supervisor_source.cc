#include <memory>
#include <string>
#include <utility>

#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/start/options_check.h"
#include "goplugin/internal/supervise/source.h"
#include "goplugin/supervisor.h"

namespace goplugin {

using internal::Source;

namespace {

absl::Status NoRunner() {
  return internal::MakeError(Reason::kSpawn,
                             "the runner factory made no runner",
                             "return one, or an error that says why not");
}

absl::Status FactoryFailed(const absl::Status& why) {
  if (GetErrorDetails(why).has_value()) return why;
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = "the runner factory made no runner";
  details.evidence = {ToString(why)};
  details.hint = "the cause lies in the factory, which is the host's";
  return internal::MakeError(details);
}

}  // namespace

SupervisorSource::SupervisorSource(Source source)
    : source_(std::make_shared<const Source>(std::move(source))) {}

SupervisorSource::SupervisorSource(const Command& command)
    : SupervisorSource(Source{command.path,
                              [command]() -> absl::StatusOr<Source::Launch> {
                                return [command](ClientOptions options,
                                                 Client::LaunchCallback done) {
                                  return Client::LaunchAsync(command,
                                                             std::move(options),
                                                             std::move(done));
                                };
                              },
                              [command](const ClientOptions& options) {
                                return internal::CheckOptions(command, options);
                              }}) {}

SupervisorSource::SupervisorSource(const RunnerFactory& make_runner)
    : SupervisorSource(Source{
          /*name=*/"",
          [make_runner]() -> absl::StatusOr<Source::Launch> {
            absl::StatusOr<std::shared_ptr<Runner>> runner = make_runner();
            if (!runner.ok()) return FactoryFailed(runner.status());
            if (*runner == nullptr) return NoRunner();
            return [runner = *std::move(runner)](ClientOptions options,
                                                 Client::LaunchCallback done) {
              return Client::LaunchAsync(runner, std::move(options),
                                         std::move(done));
            };
          },
          [has_factory = make_runner != nullptr](const ClientOptions& options) {
            if (has_factory) return internal::CheckRunnerOptions(options);
            return internal::MakeError(Reason::kOptions,
                                       "there is no runner factory",
                                       "give a function that makes runners");
          },
          /*by_runner=*/true}) {}

SupervisorSource SupervisorSource::Attach(
    std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return SupervisorSource(Source{
      target,
      [target = std::move(target), credentials = std::move(credentials)]()
          -> absl::StatusOr<Source::Launch> {
        return [target, credentials](ClientOptions options,
                                     Client::LaunchCallback done) {
          return Client::AttachAsync(target, credentials, std::move(options),
                                     std::move(done));
        };
      },
      [](const ClientOptions& options) {
        return internal::CheckJoinOptions(options);
      }});
}

SupervisorSource SupervisorSource::FromLaunch(LaunchFunction launch) {
  const bool has_launch = launch != nullptr;
  return SupervisorSource(
      Source{/*name=*/"",
             [launch = std::move(launch)]() -> absl::StatusOr<Source::Launch> {
               return launch;
             },
             [has_launch](const ClientOptions& /*options*/) {
               if (has_launch) return absl::OkStatus();
               return internal::MakeError(Reason::kOptions,
                                          "there is no launch function",
                                          "give one that begins a launch");
             }});
}

}  // namespace goplugin
