#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sample_shop.hpp"
#include "topology/graph.hpp"
#include "topology/json_schema.hpp"

namespace gantry::topology {
namespace {

std::optional<std::string> vault(const std::string& name) {
  if (name == "TOKEN") return "hunter2";
  if (name == "PORT") return "9090";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

std::string everything_said(const parsed_topology& shop) {
  std::string out = to_json(shop.problems);
  const auto found =
      validate(shop.model, of_topology(sample_manifests(), shop.model), [](const auto&) { return true; });
  out += to_json(found);
  out += to_mermaid(shop.model, sample_manifests()) + to_dot(shop.model, sample_manifests());
  return out + shop.model.plugins.at("order").config.shown;
}

std::string with(const std::string& plugin) {
  return "version: 1\nname: shop\nhosts: { main: { http: \"127.0.0.1:${env:PORT}\" } }\nplugins:\n  order: " + plugin;
}

TEST(Secrets, AreReplacedInAnyValueAndKeepTheirReference) {
  const auto shop = parse_topology(
      with(
          "{ group: x-${env:TOKEN}-${env:NONE:-y}, batch: { max: ${env:SIZE:-32} }, config: { token: ${env:TOKEN} } }"),
      "t.yaml", vault);
  EXPECT_TRUE(shop.problems.empty()) << to_json(shop.problems);
  const plugin_settings& order = shop.model.plugins.at("order");
  EXPECT_EQ(*order.group, "x-hunter2-y");
  EXPECT_EQ(shown(order.group), "x-${env:TOKEN}-${env:NONE}");
  EXPECT_EQ(*order.batch_max, 32U);
  EXPECT_EQ(*shop.model.hosts.at("main").http, "127.0.0.1:9090");
  EXPECT_EQ(order.config.json, R"({"token":"hunter2"})");
  EXPECT_EQ(order.config.shown, R"({"token":"${env:TOKEN}"})");
}

// Whoever opens a pipe would wait until somebody writes.
TEST(Secrets, AFileThatIsAPipeIsRefused) {
  const auto pipe = std::filesystem::temp_directory_path() / ("gantry-secret-" + std::to_string(getpid()));
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto shop = parse_topology(with("{ group: \"${file:" + pipe.string() + "}\" }"), "t.yaml", vault);
  std::filesystem::remove(pipe);
  EXPECT_TRUE(mentions(to_json(shop.problems), "which is no regular file")) << to_json(shop.problems);
}

TEST(Secrets, AreNeverSaidInProblemsOrPictures) {
  const auto shop = parse_topology(
      with("{ store: ${env:TOKEN}, hosts: [\"${env:TOKEN}\"], poison: ${env:TOKEN}, library: ${env:TOKEN}, "
           "batch: { max: ${env:TOKEN} }, stall_after: ${env:TOKEN}, "
           "config: { token: ${env:TOKEN}, saga: ${env:TOKEN}, attempts: ${env:TOKEN} } }"),
      "t.yaml", vault);
  const std::string said = everything_said(shop);
  EXPECT_FALSE(mentions(said, "hunter2"));
  EXPECT_TRUE(mentions(said, "the value of ${env:TOKEN}"));
}

TEST(Secrets, TheTypeOfAReferenceIsThatOfItsValueUnlessQuoted) {
  const auto shop = parse_topology(with(R"({ config: { port: ${env:PORT}, text: "${env:PORT}" } })"), "t.yaml", vault);
  EXPECT_EQ(shop.model.plugins.at("order").config.json, R"({"port":9090,"text":"9090"})");
}

TEST(Secrets, ComeFromFilesWithoutTheLastLineEnd) {
  const std::filesystem::path file = std::filesystem::temp_directory_path() / "gantry-secrets-test.txt";
  std::ofstream(file) << "s3cret\n";
  const auto shop = parse_topology(with("{ config: { token: ${file:" + file.string() + "} } }"), "t.yaml", vault);
  std::filesystem::remove(file);
  EXPECT_EQ(shop.model.plugins.at("order").config.json, R"({"token":"s3cret"})");
  EXPECT_FALSE(mentions(everything_said(shop), "s3cret"));
}

TEST(Secrets, ADefaultAppliesToAnEmptyVariableAndADoubledDollarIsPlain) {
  const auto shop =
      parse_topology(with(R"({ config: { a: "${env:EMPTY:-b}", c: "$${env:TOKEN}" } })"), "t.yaml", vault);
  EXPECT_EQ(shop.model.plugins.at("order").config.json, R"({"a":"b","c":"${env:TOKEN}"})");
}

}  // namespace
}  // namespace gantry::topology
