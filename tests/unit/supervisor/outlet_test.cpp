// Output for a reader who may have stopped reading.
#include "supervisor/outlet.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <vector>

namespace gantry::supervisor {
namespace {

class OutletTest : public ::testing::Test {
 protected:
  OutletTest() {
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  ~OutletTest() override {
    for (const int end : ends)
      if (end >= 0) close(end);
  }

  std::string read_all() const {
    std::string out;
    std::string piece(64 * 1024, ' ');
    for (ssize_t got = 0; (got = read(ends[0], piece.data(), piece.size())) > 0;)
      out.append(piece, 0, static_cast<std::size_t>(got));
    return out;
  }

  int ends[2] = {-1, -1};
  std::vector<std::uint64_t> dropped;
  const std::function<void(std::uint64_t)> tell = [this](std::uint64_t lines) { dropped.push_back(lines); };
};

const std::string line = std::string(1023, 'x') + "\n";

TEST_F(OutletTest, ALineGoesAtOnce) {
  outlet out(ends[1], tell);
  out.put("one\n");
  EXPECT_EQ(read_all(), "one\n");
  EXPECT_EQ(out.descriptor(), -1);
}

TEST_F(OutletTest, AReaderWhoStopsKeepsNobodyWaitingAndHearsHowMuchItHasMissed) {
  outlet out(ends[1], tell, 128 * 1024);
  for (int i = 0; i < 1000; ++i) out.put(line);
  EXPECT_GE(out.descriptor(), 0) << "to be polled";
  EXPECT_FALSE(out.finish(std::chrono::milliseconds(0)));
  EXPECT_TRUE(dropped.empty());
  std::size_t came = 0;
  while (out.descriptor() >= 0) {
    came += read_all().size();
    out.push();
  }
  came += read_all().size();
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(came + dropped[0] * line.size(), 1000 * line.size()) << "whole lines are dropped, and counted";
  EXPECT_EQ(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0) << "others write there as before";
}

TEST_F(OutletTest, ALineThatIsLongerThanAllThatMayWaitIsKept) {
  outlet out(ends[1], tell, 10);
  out.put(line);
  EXPECT_EQ(read_all(), line);
}

TEST_F(OutletTest, AReaderWhoHasGoneKeepsNobodyWaiting) {
  signal(SIGPIPE, SIG_IGN);
  outlet out(ends[1], tell);
  for (int i = 0; i < 1000; ++i) out.put(line);
  close(ends[0]);
  ends[0] = -1;
  EXPECT_TRUE(out.finish(std::chrono::minutes(10)));
}

TEST_F(OutletTest, AFileIsWrittenWhereItsOwnerHasGotTo) {
  const auto path = ::testing::TempDir() + "outlet_test." + std::to_string(getpid());
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_EQ(write(file, "before\n", 7), 7);
  {
    outlet out(file, tell);
    out.put("one\n");
  }
  ASSERT_EQ(write(file, "after\n", 6), 6);
  close(file);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "before\none\nafter\n");
  unlink(path.c_str());
}

}  // namespace
}  // namespace gantry::supervisor
