// Who is to blame, by what the process has noted and how the system says it ended.
#include "supervisor/post_mortem.hpp"

#include <gtest/gtest.h>
#include <signal.h>

namespace gantry::supervisor {
namespace {

constexpr pid_t pid = 42;
constexpr std::int64_t died_us = 10'000'000;

blackbox::thread_account inside(const std::string& plugin, std::uint32_t tid, std::int64_t since_us = died_us - 1'000) {
  blackbox::thread_account out;
  out.plugin = plugin;
  out.tid = tid;
  out.generation = 1;
  out.since_us = since_us;
  out.kind = blackbox::work_kind::request;
  return out;
}

blackbox::account box_with(std::vector<blackbox::thread_account> threads) {
  blackbox::account out;
  out.pid = pid;
  out.threads = std::move(threads);
  return out;
}

blackbox::account noted(blackbox::account box, blackbox::end_cause cause, std::uint32_t tid) {
  box.end.emplace();
  box.end->cause = cause;
  box.end->tid = tid;
  box.end->signal = SIGSEGV;
  return box;
}

std::string names(const finding& f) {
  std::string out;
  for (const auto& c : f.culprits) out += c.plugin + " ";
  return out;
}

TEST(post_mortem, an_end_in_order_is_no_death) {
  auto box = box_with({inside("order", 1)});
  box.ended_in_order = true;
  EXPECT_TRUE(examine(box, pid, {.code = 1}, died_us).meant);
  EXPECT_FALSE(examine(box_with({}), pid, {.code = 0}, died_us).meant) << "code 0 alone says nothing";
}

TEST(post_mortem, a_box_of_another_process_says_nothing) {
  auto box = box_with({inside("order", 1)});
  box.pid = pid + 1;
  EXPECT_TRUE(examine(box, pid, {.code = 1}, died_us).meant) << "it ended before it had plugins";
  const auto killed = examine(box, pid, {.signal = SIGSEGV}, died_us);
  EXPECT_FALSE(killed.meant);
  EXPECT_TRUE(killed.culprits.empty());
  EXPECT_FALSE(examine(error{errc::not_found, "none"}, pid, {.signal = SIGKILL}, died_us).meant);
}

TEST(post_mortem, the_thread_that_was_noted_is_at_fault_and_no_other) {
  const auto f = examine(noted(box_with({inside("order", 1), inside("payment", 2)}), blackbox::end_cause::signal, 2),
                         pid, {.signal = SIGSEGV}, died_us);
  EXPECT_EQ(names(f), "payment ");
  ASSERT_EQ(f.others.size(), 1U);
  EXPECT_EQ(f.others[0].plugin, "order");
  EXPECT_NE(f.how.find("Segmentation fault"), std::string::npos);
}

TEST(post_mortem, a_fault_outside_of_plugin_code_is_nobodys) {
  auto out = inside("order", 2, 0);
  EXPECT_EQ(names(examine(noted(box_with({inside("payment", 1), out}), blackbox::end_cause::signal, 2), pid,
                          {.signal = SIGSEGV}, died_us)),
            "");
}

TEST(post_mortem, a_thread_of_a_plugins_own_is_known_by_its_stack) {
  auto box = noted(box_with({inside("payment", 1)}), blackbox::end_cause::signal, 9);
  box.end->stack = {{1, "/usr/lib/libc.so.6", 1, ""}, {2, "/data/state/generations/fraud-check-12-abcdef.so", 2, ""}};
  const auto f = examine(box, pid, {.signal = SIGSEGV}, died_us);
  ASSERT_EQ(names(f), "fraud-check ");
  EXPECT_EQ(f.culprits[0].generation, 12U);
}

TEST(post_mortem, without_a_note_all_that_were_inside_are_suspects) {
  auto waits = inside("shipping", 3);
  waits.in_host = true;
  const auto f = examine(box_with({inside("order", 1), inside("payment", 2), waits, inside("mail", 4, 0)}), pid,
                         {.code = 0}, died_us);
  EXPECT_FALSE(f.meant);
  EXPECT_EQ(names(f), "order payment ");
}

TEST(post_mortem, who_is_killed_from_outside_was_busy_for_long) {
  const auto f = examine(box_with({inside("order", 1), inside("hoarder", 2, died_us - long_inside_us)}), pid,
                         {.signal = SIGKILL}, died_us);
  EXPECT_EQ(names(f), "hoarder ");
}

TEST(post_mortem, beyond_its_memory_who_was_inside_for_a_moment_is_at_fault) {
  auto suspect = inside("hoarder", 1);
  suspect.suspected = true;
  auto box = noted(box_with({suspect}), blackbox::end_cause::memory, 0);
  box.end->text = "it has more memory than limits.memory";
  const auto f = examine(box, pid, {.signal = SIGKILL}, died_us);
  EXPECT_EQ(names(f), "hoarder ");
  EXPECT_EQ(f.how, "it has more memory than limits.memory");
}

TEST(post_mortem, suspects_that_the_process_named_itself_come_first) {
  auto suspect = inside("order", 1, 0);
  suspect.suspected = true;
  EXPECT_EQ(names(examine(noted(box_with({suspect, inside("payment", 2)}), blackbox::end_cause::descriptors, 0), pid,
                          {.signal = SIGABRT}, died_us)),
            "order ");
}

TEST(post_mortem, the_newest_fifty_findings_stay) {
  const auto state = std::filesystem::path(::testing::TempDir()) / ("findings." + std::to_string(pid));
  for (int i = 0; i < 53; ++i) ASSERT_TRUE(keep_finding(state, "main", pid, {}, 1'800'000'000'000'000 + i));
  ASSERT_TRUE(keep_finding(state, "main~order", pid, {}, 1'800'000'000'000'000));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(state / "blackbox"), {}), 51);
  EXPECT_FALSE(std::filesystem::exists(state / "blackbox" / "main-1800000000000002.json"));
  EXPECT_TRUE(std::filesystem::exists(state / "blackbox" / "main-1800000000000003.json"));
  std::filesystem::remove_all(state);
}

}  // namespace
}  // namespace gantry::supervisor
