// api/openapi.yaml and the plugin's setup name the same routes.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace inventory {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(std::string(PLUGIN_FOLDER) + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// "get /path" of each s.get("/path", ...).
std::set<std::string> routes_in_setup() {
  const std::string source = read("/inventory.cpp");
  const std::regex call("s\\.(get|post|put|del|patch)\\(\"([^\"]+)\"");
  std::set<std::string> routes;
  for (std::sregex_iterator it(source.begin(), source.end(), call), end; it != end; ++it) {
    routes.insert(((*it)[1] == "del" ? "delete" : it->str(1)) + " " + it->str(2));
  }
  return routes;
}

std::set<std::string> routes_in_document() {
  const std::string text = read("/api/openapi.yaml");
  const std::regex entry("\n  (/\\S+):(?=\n)|\n    (get|post|put|delete|patch):(?=\n)");
  std::set<std::string> routes;
  std::string path;
  for (std::sregex_iterator it(text.begin(), text.end(), entry), end; it != end; ++it) {
    if ((*it)[1].matched) path = it->str(1);
    if ((*it)[2].matched) routes.insert(it->str(2) + " " + path);
  }
  return routes;
}

TEST(OpenApi, NamesTheRoutesThatThereAre) {
  EXPECT_GT(routes_in_setup().size(), 5U);
  EXPECT_EQ(routes_in_setup(), routes_in_document());
}

}  // namespace
}  // namespace inventory
