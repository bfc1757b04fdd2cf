#include "goplugin/internal/supervise/router.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "goplugin/internal/channel/call_target.h"

namespace goplugin::internal {
namespace {

using Targets = std::vector<std::shared_ptr<CallTarget>>;

Targets Some(size_t count) {
  Targets targets;
  for (size_t i = 0; i < count; ++i) {
    targets.push_back(std::make_shared<CallTarget>());
  }
  return targets;
}

class RouterTest : public ::testing::Test {
 protected:
  void Change(Targets targets) {
    Router::Routes routes;
    for (std::shared_ptr<CallTarget>& target : targets) {
      const CallTarget* const raw = target.get();
      routes.targets.push_back({std::move(target), [this, raw] {
                                  if (gone_.count(raw) != 0)
                                    return Router::Condition::kGone;
                                  if (doubted_.count(raw) != 0)
                                    return Router::Condition::kDoubted;
                                  return broken_.count(raw) != 0
                                             ? Router::Condition::kBroken
                                             : Router::Condition::kConnected;
                                }});
    }
    routes.may_wait = may_wait_;
    router_.Change(std::move(routes));
  }

  int wanted_ = 0;
  bool may_wait_ = true;
  std::set<const CallTarget*> gone_;
  std::set<const CallTarget*> broken_;
  std::set<const CallTarget*> doubted_;
  Router router_{42, [this] { ++wanted_; }};
};

TEST_F(RouterTest, HasNobodyAtFirst) {
  EXPECT_EQ(router_.Pick(), nullptr);
  EXPECT_TRUE(router_.MayWait());
  EXPECT_EQ(wanted_, 0);
}

TEST_F(RouterTest, OneGetsAll) {
  const Targets targets = Some(1);
  Change(targets);
  targets[0]->under_way = 1000;
  EXPECT_EQ(router_.Pick(), targets[0]);
}

TEST_F(RouterTest, OfTwoTheOneWithFewerCallsGetsTheNext) {
  const Targets targets = Some(2);
  Change(targets);
  targets[0]->under_way = 1;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(router_.Pick(), targets[1]);
  targets[1]->under_way = 2;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(router_.Pick(), targets[0]);
}

TEST_F(RouterTest, SpreadsOverThoseThatAreAsBusy) {
  const Targets targets = Some(4);
  Change(targets);
  std::map<std::shared_ptr<CallTarget>, int> picked;
  for (int i = 0; i < 4000; ++i) ++picked[router_.Pick()];
  for (const auto& target : targets) {
    EXPECT_GT(picked[target], 800);
    EXPECT_LT(picked[target], 1200);
  }
}

TEST_F(RouterTest, TheBusiestOfManyGetsNone) {
  const Targets targets = Some(4);
  Change(targets);
  targets[2]->under_way = 5;
  for (int i = 0; i < 1000; ++i) EXPECT_NE(router_.Pick(), targets[2]);
}

TEST_F(RouterTest, OneThatIsGoneGetsNoneThoughItHasNoneUnderWay) {
  const Targets targets = Some(3);
  Change(targets);
  gone_ = {targets[0].get()};
  targets[1]->under_way = 100;
  targets[2]->under_way = 100;
  for (int i = 0; i < 1000; ++i) ASSERT_NE(router_.Pick(), targets[0]);
  gone_.insert(targets[2].get());
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(router_.Pick(), targets[1]);
  gone_.insert(targets[1].get());
  EXPECT_EQ(router_.Pick(), nullptr);
}

TEST_F(RouterTest, OneThatIsNotConnectedGetsNoneAndIsLookedAtAgain) {
  const Targets targets = Some(3);
  Change(targets);
  broken_ = {targets[0].get(), targets[2].get()};
  targets[1]->under_way = 100;
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(router_.Pick(), targets[1]);
  // The others may be back soon.
  gone_ = {targets[1].get()};
  EXPECT_EQ(router_.Pick(), nullptr);
  EXPECT_EQ(router_.Pick(), nullptr);
  EXPECT_EQ(wanted_, 1);
  router_.LookAgain();
  EXPECT_EQ(router_.Pick(), nullptr);
  EXPECT_EQ(wanted_, 2);
  broken_.clear();
  EXPECT_NE(router_.Pick(), nullptr);
}

TEST_F(RouterTest, OneThatIsDoubtedGetsNoneWhileThereIsAnother) {
  const Targets targets = Some(3);
  Change(targets);
  doubted_ = {targets[0].get(), targets[2].get()};
  targets[1]->under_way = 100;
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(router_.Pick(), targets[1]);
  // Better than none, and than waiting.
  broken_ = {targets[1].get()};
  targets[2]->under_way = 5;
  std::set<std::shared_ptr<CallTarget>> picked;
  for (int i = 0; i < 1000; ++i) picked.insert(router_.Pick());
  EXPECT_EQ(picked.count(targets[0]), 1u);
  EXPECT_EQ(picked.count(targets[1]), 0u);
  EXPECT_EQ(picked.count(nullptr), 0u);
  EXPECT_EQ(wanted_, 0);
}

TEST_F(RouterTest, WhoDoesNotWaitGetsOneThatIsNotConnected) {
  const Targets targets = Some(1);
  may_wait_ = false;
  Change(targets);
  broken_ = {targets[0].get()};
  EXPECT_EQ(router_.Pick(), targets[0]);
  EXPECT_EQ(wanted_, 0);
}

TEST_F(RouterTest, TheOnlyOneIsGone) {
  const Targets targets = Some(1);
  Change(targets);
  gone_ = {targets[0].get()};
  EXPECT_EQ(router_.Pick(), nullptr);
}

TEST_F(RouterTest, SaysWhyThereIsNone) {
  Router::Routes routes;
  routes.may_wait = false;
  routes.why_none = grpc::Status(grpc::StatusCode::UNAVAILABLE, "gave up");
  router_.Change(routes);
  EXPECT_FALSE(router_.MayWait());
  EXPECT_EQ(router_.WhyNone().error_message(), "gave up");
}

TEST_F(RouterTest, ASleepingOneIsWanted) {
  Router::Routes routes;
  routes.asleep = true;
  router_.Change(routes);
  EXPECT_EQ(router_.Pick(), nullptr);
  EXPECT_EQ(wanted_, 1);
}

TEST_F(RouterTest, TellsOfOneChangeOnce) {
  int told = 0;
  router_.OnChange([&told] { ++told; });
  router_.OnChange([&told] { ++told; });
  Change(Some(1));
  EXPECT_EQ(told, 2);
  Change(Some(1));
  EXPECT_EQ(told, 2);
}

TEST_F(RouterTest, AListenerMayListenAgainAndPick) {
  int told = 0;
  std::function<void()> listen = [&] {
    if (++told < 3) router_.OnChange(listen);
    router_.Pick();
  };
  router_.OnChange(listen);
  for (int i = 0; i < 5; ++i) Change(Some(1));
  EXPECT_EQ(told, 3);
}

TEST_F(RouterTest, KeepsNobodyWhoIsGone) {
  std::weak_ptr<CallTarget> weak;
  {
    const Targets targets = Some(1);
    weak = targets[0];
    Change(targets);
  }
  EXPECT_FALSE(weak.expired());
  Change({});
  EXPECT_TRUE(weak.expired());
}

TEST_F(RouterTest, ManyThreadsPickWhileItChanges) {
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!over) {
        const std::shared_ptr<CallTarget> target = router_.Pick();
        if (target == nullptr) continue;
        ++target->under_way;
        --target->under_way;
      }
    });
  }
  for (int i = 0; i < 2000; ++i) Change(Some(static_cast<size_t>(i % 4)));
  over = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace goplugin::internal
