#ifndef TESTS_UNIT_SUPERVISE_ROLLOUT_FIXTURE_H_
#define TESTS_UNIT_SUPERVISE_ROLLOUT_FIXTURE_H_

#include <gtest/gtest.h>

#include <vector>

#include "absl/types/optional.h"
#include "goplugin/supervisor_options.h"
#include "tests/unit/supervise/machine_world.h"

namespace goplugin::testing {

inline SupervisorOptions PlainReplicas(int replicas = 1) {
  SupervisorOptions options;
  options.replicas = replicas;
  options.restart.jitter = 0;
  return options;
}

class RolloutTest : public ::testing::Test {
 protected:
  void Begin(int replicas) {
    options_ = PlainReplicas(replicas);
    world_.emplace(options_);
    world_->Begin();
  }
  void TearDown() override {
    ASSERT_TRUE(world_->offences.empty()) << world_->offences.front();
  }
  void Replace(internal::Request request, int version) {
    world_->machine.Replace(world_->now, request, version);
    world_->Pump();
  }
  std::vector<int> UsedVersions() const {
    std::vector<int> versions;
    for (const auto& [id, process] : world_->live) {
      if (process.used) versions.push_back(process.version);
    }
    return versions;
  }

  SupervisorOptions options_;
  absl::optional<MachineWorld> world_;
};

}  // namespace goplugin::testing

#endif  // TESTS_UNIT_SUPERVISE_ROLLOUT_FIXTURE_H_
