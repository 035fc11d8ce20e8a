// The routes that the plugin declares and those that openapi.yaml describes are the same.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(std::string(PLUGIN_FOLDER) + "/" + file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::set<std::string> declared() {
  const std::string source = text_of("plugin.cpp");
  const std::regex route(R"re(s\.(get|post|put|del|patch)\("([^"]+)")re");
  std::set<std::string> out;
  for (std::sregex_iterator at(source.begin(), source.end(), route), end; at != end; ++at) {
    out.insert(((*at)[1] == "del" ? "delete" : (*at)[1].str()) + " " + (*at)[2].str());
  }
  return out;
}

std::set<std::string> described() {
  std::istringstream lines(text_of("api/openapi.yaml"));
  const std::regex path(R"re(  (/[^:]+):\s*)re");
  const std::regex method(R"re(    (get|post|put|delete|patch):\s*)re");
  std::set<std::string> out;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, path)) current = found[1];
    if (std::regex_match(line, found, method)) out.insert(found[1].str() + " " + current);
  }
  return out;
}

TEST(OpenApi, DescribesExactlyTheRoutesThatThereAre) {
  EXPECT_FALSE(declared().empty());
  EXPECT_EQ(declared(), described());
}

}  // namespace
