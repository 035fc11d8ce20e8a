#include "loader/discover.hpp"

#include "scratch.hpp"

namespace gantry::loader {
namespace {

using Discovery = scratch_test;

TEST_F(Discovery, ReadsManifestsAndReportsFilesThatAreNoPluginsWhereTheTopologyNamesThem) {
  write(directory_ / "topology.yaml",
        "version: 1\nname: shop\nhosts: { main: { http: 127.0.0.1:8080 } }\n"
        "topics: { order-events: {} }\nplugin_path: [" +
            std::string(SAMPLE_DIR) +
            "]\n"
            "plugins:\n  order: {}\n  catalog: { library: newer_abi }\n"
            "  payment: { library: no_manifest }\n  shipping: {}\n");
  const validation found = validate_file((directory_ / "topology.yaml").string());
  EXPECT_EQ(found.manifests.at("order").calls.at(0), "catalog");
  std::string said;
  for (const auto& each : found.problems) said += topology::to_text(each) + '\n';
  const std::string file = (directory_ / "topology.yaml").string();
  EXPECT_TRUE(mentions(said, file +
                                 ":8:23: error: plugins.catalog.library: found newer_abi.so: built for ABI 2.1, this "
                                 "host has 1.2: rebuild the plugin or use a gantry with ABI >= 2.1"))
      << said;
  EXPECT_TRUE(mentions(said, file + ":9:23: error: plugins.payment.library: found no_manifest.so: no section")) << said;
  EXPECT_TRUE(mentions(said, file + ":10:3: error: plugins.shipping.library: found no file for \"shipping\"")) << said;
  EXPECT_TRUE(mentions(said, "plugins.catalog: found library of plugin \"order\"")) << said;
}

}  // namespace
}  // namespace gantry::loader
