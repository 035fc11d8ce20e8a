#include "topology/graph.hpp"

#include <gtest/gtest.h>

#include "sample_shop.hpp"

namespace gantry::topology {
namespace {

TEST(Graph, DrawsHostsPluginsTopicsEventsAndCalls) {
  const auto shop = parse_topology(file_text(GOOD_DIR "/shop.yaml"), "shop.yaml", no_env);
  EXPECT_EQ(to_mermaid(shop.model, sample_manifests()), R"~(flowchart LR
  subgraph h_main["main 127.0.0.1:8080"]
    p_catalog_at_main["catalog"]
    p_inventory_at_main["inventory"]
    p_order_at_main["order"]
  end
  t_inventory_dcommands(["inventory-commands (2)"])
  t_inventory_devents(["inventory-events (2)"])
  t_order_devents(["order-events (3)"])
  p_inventory_at_main -->|"InventoryReserved"| t_inventory_devents
  t_inventory_dcommands -->|"ReserveInventory"| p_inventory_at_main
  p_order_at_main -->|"ReserveInventory"| t_inventory_dcommands
  p_order_at_main -->|"OrderCreated"| t_order_devents
  t_inventory_devents -->|"InventoryReserved"| p_order_at_main
  p_order_at_main -.->|"calls"| p_catalog_at_main
)~");
}

TEST(Graph, SpeaksDotToo) {
  const auto shop = parse_topology(file_text(GOOD_DIR "/shop.yaml"), "shop.yaml", no_env);
  EXPECT_EQ(to_dot(shop.model, sample_manifests()), R"~(digraph "shop" {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_main {
    label="main 127.0.0.1:8080";
    p_catalog_at_main [label="catalog"];
    p_inventory_at_main [label="inventory"];
    p_order_at_main [label="order"];
  }
  t_inventory_dcommands [shape=cylinder, label="inventory-commands (2)"];
  t_inventory_devents [shape=cylinder, label="inventory-events (2)"];
  t_order_devents [shape=cylinder, label="order-events (3)"];
  p_inventory_at_main -> t_inventory_devents [label="InventoryReserved"];
  t_inventory_dcommands -> p_inventory_at_main [label="ReserveInventory"];
  p_order_at_main -> t_inventory_dcommands [label="ReserveInventory"];
  p_order_at_main -> t_order_devents [label="OrderCreated"];
  t_inventory_devents -> p_order_at_main [label="InventoryReserved"];
  p_order_at_main -> p_catalog_at_main [label="calls", style=dashed];
}
)~");
}

}  // namespace
}  // namespace gantry::topology
