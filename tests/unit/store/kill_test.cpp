// What is acknowledged survives the death of the process, at any moment.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "crash_image.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class KillTest : public StoreFixture, public ::testing::WithParamInterface<store::durability> {
 protected:
  // Commits until it is killed, and says through the pipe what is committed.
  [[noreturn]] void commit_for_ever(int from, int acknowledge) {
    open();
    const std::string filler(2500, 'x');
    for (int id = from;; ++id) {
      bool ok = writer_->begin() == GANTRY_OK;
      const int pages = id % 7 == 0 ? 60 : 3;  // some spill
      for (int part = 0; part < pages && ok; ++part) {
        ok = exec("INSERT INTO item VALUES ($1, $2, $3)", {integer(id), integer(part), text(filler)}) == GANTRY_OK;
      }
      ok = ok && exec("INSERT INTO whole VALUES ($1, $2)", {integer(id), integer(pages)}) == GANTRY_OK;
      if (!ok || writer_->commit() != GANTRY_OK) _exit(1);
      if (write(acknowledge, &id, sizeof id) != sizeof id) _exit(2);
    }
  }

  // The last id that a child acknowledged before it was killed, after at least `commits`.
  int last_before_the_kill(int from, int commits) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
      ::close(ends[0]);
      commit_for_ever(from, ends[1]);
    }
    ::close(ends[1]);
    int last = from - 1;
    while (last < from + commits && read(ends[0], &last, sizeof last) == sizeof last) continue;
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    while (read(ends[0], &last, sizeof last) == sizeof last) continue;
    ::close(ends[0]);
    return last;
  }
};

INSTANTIATE_TEST_SUITE_P(Promises, KillTest, ::testing::Values(store::durability::power, store::durability::process),
                         [](const auto& each) { return each.param == store::durability::power ? "power" : "process"; });

TEST_P(KillTest, AcknowledgedCommitsSurvive) {
  options_.promise = GetParam();
  options_.checkpoint_pages = 40;
  options_.cache_kib = 64;
  open_with(
      "CREATE TABLE item (id INTEGER, part INTEGER, filler TEXT, PRIMARY KEY (id, part));"
      "CREATE TABLE whole (id INTEGER PRIMARY KEY, pages INTEGER)");
  close();
  int next = 1;
  for (const int commits : {1, 10, 33, 60, 150}) {
    const int last = last_before_the_kill(next, commits);
    ASSERT_GE(last, next);
    ASSERT_EQ(first_of(options_.file, "PRAGMA integrity_check"), "ok");
    const int found = std::atoi(first_of(options_.file, "SELECT max(id) FROM whole").c_str());
    EXPECT_GE(found, last);
    EXPECT_LE(found, last + 1);  // committed, and killed before it said so
    EXPECT_EQ(first_of(options_.file, "SELECT count(*) FROM whole"), std::to_string(found));
    EXPECT_EQ(first_of(options_.file, "SELECT sum(pages) - (SELECT count(*) FROM item) FROM whole"), "0");
    next = found + 1;
  }
}

}  // namespace
}  // namespace gantry::testing
