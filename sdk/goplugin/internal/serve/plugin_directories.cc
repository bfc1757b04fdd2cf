#include "goplugin/internal/serve/plugin_directories.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/caller_places.h"
#include "goplugin/internal/files/find_group.h"
#include "goplugin/internal/files/places.h"
#include "goplugin/internal/files/time_limit.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// The same error, with what the plugin's host can do about it.
absl::Status ForHost(const absl::Status& status, std::string hint) {
  ErrorDetails details = GetErrorDetails(status).value_or(ErrorDetails());
  details.reason = Reason::kTransport;
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::Status Removed() {
  return MakeError(Reason::kShutDown, "the plugin is ending",
                   "the host has asked for it");
}

}  // namespace

absl::StatusOr<absl::optional<gid_t>> PluginDirectories::Group() {
  if (group_name_.empty() || group_.has_value()) return group_;
  absl::StatusOr<gid_t> found = FindGroup(group_name_);
  if (!found.ok()) {
    return ForHost(found.status(),
                   "let the host's socket_group (PLUGIN_UNIX_SOCKET_GROUP) "
                   "name a group of this system, or its number");
  }
  group_ = *found;
  return group_;
}

absl::StatusOr<std::shared_ptr<const Directory>> PluginDirectories::Lent() {
  if (lent_path_.empty()) return std::shared_ptr<const Directory>();
  if (lent_ != nullptr) {
    return lent_->IsAtItsPath() ? lent_ : std::shared_ptr<const Directory>();
  }
  absl::StatusOr<Directory> opened = Directory::Open(lent_path_);
  if (!opened.ok()) {
    return ForHost(opened.status(),
                   "let PLUGIN_UNIX_SOCKET_DIR name a directory this user can "
                   "write to");
  }
  lent_ = std::make_shared<const Directory>(*std::move(opened));
  return lent_;
}

absl::StatusOr<std::shared_ptr<const Directory>> PluginDirectories::Own() {
  if (own_ == nullptr) {
    PlaceRequest request;
    request.caller = ReadCallerPlaces();
    absl::StatusOr<std::unique_ptr<OuterDirectory>> made =
        OuterDirectory::Make(request);
    if (!made.ok()) {
      return ForHost(made.status(),
                     "let TMPDIR name a directory with a short path that this "
                     "user can write to");
    }
    own_ = *std::move(made);
  }
  // Lives as long as its owner.
  return std::shared_ptr<const Directory>(own_, &own_->directory());
}

absl::StatusOr<PluginDirectories::Place> PluginDirectories::Main() {
  MutexLock lock(mutex_);
  if (removed_) return Removed();
  absl::StatusOr<absl::optional<gid_t>> group = Group();
  if (!group.ok()) return group.status();
  absl::StatusOr<std::shared_ptr<const Directory>> lent = Lent();
  if (!lent.ok()) return lent.status();
  if (*lent != nullptr) return Place{*lent, RandomName("plugin"), *group};
  absl::StatusOr<std::shared_ptr<const Directory>> own = Own();
  if (!own.ok()) return own.status();
  return Place{*own, "s", *group};
}

absl::StatusOr<std::shared_ptr<const Directory>> PluginDirectories::MakeInner(
    Inner& inner, const char* prefix, absl::optional<gid_t> group) {
  if (removed_) return Removed();
  if (inner.made != nullptr && inner.made->IsAtItsPath()) return inner.made;
  absl::StatusOr<std::shared_ptr<const Directory>> parent = Lent();
  if (parent.ok() && *parent == nullptr) parent = Own();
  if (!parent.ok()) return parent.status();
  absl::StatusOr<Directory> made = (*parent)->MakeUniqueDirectory(prefix, 0700);
  if (!made.ok()) return made.status();
  if (group.has_value()) {
    // Entering is all that its members need.
    absl::Status given = made->SetOwner(static_cast<uid_t>(-1), *group);
    if (given.ok()) given = made->SetMode(0710);
    if (!given.ok()) return given;
  }
  const std::string path = made->path();
  inner.name = path.substr(path.rfind('/') + 1);
  inner.parent = *std::move(parent);
  inner.made = std::make_shared<const Directory>(*std::move(made));
  return inner.made;
}

absl::StatusOr<BrokerDirectory> PluginDirectories::Brokered() {
  MutexLock lock(mutex_);
  absl::StatusOr<absl::optional<gid_t>> group = Group();
  if (!group.ok()) return group.status();
  absl::StatusOr<std::shared_ptr<const Directory>> directory =
      MakeInner(brokered_, "b", *group);
  if (!directory.ok()) return directory.status();
  // The directory decides who gets there.
  return BrokerDirectory{*std::move(directory),
                         group->has_value() ? mode_t{0666} : mode_t{0600}};
}

absl::StatusOr<std::shared_ptr<const Directory>> PluginDirectories::Doors() {
  MutexLock lock(mutex_);
  return MakeInner(doors_, "d", absl::nullopt);
}

void PluginDirectories::RemoveInner(Inner& inner) {
  if (inner.parent != nullptr) {
    inner.parent->RemoveDirectory(inner.name).IgnoreError();
  }
  inner = Inner();
}

void PluginDirectories::Remove() {
  MutexLock lock(mutex_);
  removed_ = true;
  RemoveInner(brokered_);
  RemoveInner(doors_);
  lent_.reset();
  // A server that does not end may still hold it.
  if (own_ != nullptr) own_->RemoveSome(TimeLimit(kRemovalWait));
  own_.reset();
}

}  // namespace goplugin::internal
