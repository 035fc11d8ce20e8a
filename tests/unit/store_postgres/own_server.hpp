// A server that one suite may kill. Owned by the suite.
#pragma once

#include <filesystem>
#include <string>

#include "store_fixture.hpp"

namespace gantry::testing {

class own_server {
 public:
  // `replica_of`: the directory of another one, which it follows.
  explicit own_server(const std::string& replica_of = {}) {
    std::string pattern = ::testing::TempDir() + "gantry-pg-XXXXXX";
    if (mkdtemp(pattern.data())) directory_ = pattern;
    std::filesystem::permissions(directory_, std::filesystem::perms(0755));
    good_ = replica_of.empty() ? run("start") : run("replica", replica_of);
  }
  ~own_server() { run("remove"); }
  own_server(const own_server&) = delete;
  own_server& operator=(const own_server&) = delete;

  bool good() const { return good_; }
  const std::string& directory() const { return directory_; }
  server_place place() const { return server_place::read(directory_ + "/env"); }
  bool kill() const { return run("kill"); }
  bool restart() const { return run("restart"); }
  bool stop() const { return run("stop"); }

 private:
  bool run(const std::string& verb, const std::string& more = {}) const {
    return std::system((std::string(POSTGRES_SERVER " ") + verb + " " + directory_ + " " + more).c_str()) == 0;
  }

  std::string directory_;
  bool good_ = false;
};

}  // namespace gantry::testing
