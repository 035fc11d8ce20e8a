#include "fixture.hpp"

namespace inventory {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

class Commands : public ::testing::Test, protected testing::warehouse_floor {
 protected:
  void SetUp() override {
    ASSERT_EQ(put("A", R"({"onHand":100})"), 201);
    ASSERT_EQ(put("B", R"({"onHand":50})"), 201);
    host.take_emitted();
  }
};

TEST_F(Commands, ReserveHoldsEveryLine) {
  const auto id = order(1);
  reserve(id, {{"B", 2}, {"A", 3}});
  EXPECT_EQ(heard(), strings{"InventoryReserved {\"orderId\":\"" + id +
                             R"(","lines":[{"sku":"A","quantity":3},{"sku":"B","quantity":2}]})"});
  EXPECT_EQ(stock("A"), "100/3");
  EXPECT_EQ(stock("B"), "50/2");
}

TEST_F(Commands, ReserveIsAllOrNothingAndNamesTheLinesThatLack) {
  const auto id = order(1);
  reserve(id, {{"A", 3}, {"B", 51}, {"C", 1}});
  EXPECT_EQ(heard(), strings{"InventoryRejected {\"orderId\":\"" + id +
                             R"(","reason":"insufficient stock","lines":[{"sku":"B","requested":51,"available":50},)"
                             R"({"sku":"C","requested":1,"available":0}]})"});
  EXPECT_EQ(stock("A"), "100/0");
  EXPECT_EQ(stock("B"), "50/0");
}

TEST_F(Commands, ARepeatedReserveIsAnsweredTheSameAndHoldsOnce) {
  const auto id = order(1);
  reserve(id, {{"A", 3}});
  const auto first = heard();
  reserve(id, {{"A", 3}});
  EXPECT_EQ(heard(), first);
  EXPECT_EQ(stock("A"), "100/3");
}

TEST_F(Commands, ARejectionStandsAlsoWhenStockComesLater) {
  const auto id = order(1);
  reserve(id, {{"C", 1}});
  const auto first = heard();
  put("C", R"({"onHand":10})");
  host.take_emitted();
  reserve(id, {{"C", 1}});
  EXPECT_EQ(heard(), first);
  EXPECT_EQ(stock("C"), "10/0");
}

TEST_F(Commands, InvalidLinesAreRejectedInWords) {
  const auto id = order(1);
  reserve(id, {{"A", 0}});
  EXPECT_EQ(heard(), strings{"InventoryRejected {\"orderId\":\"" + id +
                             R"(","reason":"invalid lines: quantity of A must be 1..1000000, found 0","lines":[]})"});
}

TEST_F(Commands, ACommandWithoutOrderIsPoison) {
  for (const char* type : {"ReserveInventory", "ReleaseInventory", "CommitInventory"}) {
    EXPECT_EQ(host.deliver("inventory-commands", type, "x", {{"lines", 7}}).status(), GANTRY_REJECT) << type;
  }
}

TEST_F(Commands, ReleaseGivesBackOnceAndAnswersEveryTime) {
  const auto id = order(1);
  reserve(id, {{"A", 3}});
  host.take_emitted();
  release(id);
  const strings expected{"InventoryReleased {\"orderId\":\"" + id + R"(","lines":[{"sku":"A","quantity":3}]})"};
  EXPECT_EQ(heard(), expected);
  release(id);
  EXPECT_EQ(heard(), expected);
  EXPECT_EQ(stock("A"), "100/0");
}

TEST_F(Commands, ReleaseOfAnUnknownOrderLeavesATombstone) {
  const auto id = order(1);
  release(id);
  EXPECT_EQ(heard(), strings{"InventoryReleased {\"orderId\":\"" + id + R"(","lines":[]})"});
  reserve(id, {{"A", 3}});
  EXPECT_EQ(heard(), strings{"InventoryRejected {\"orderId\":\"" + id + R"(","reason":"cancelled","lines":[]})"});
  EXPECT_EQ(stock("A"), "100/0");
}

TEST_F(Commands, CommitTakesTheGoodsOnce) {
  const auto id = order(1);
  reserve(id, {{"A", 3}, {"B", 1}});
  host.take_emitted();
  commit(id);
  EXPECT_EQ(heard(), (strings{R"(StockLevelChanged {"sku":"A","onHand":97,"reserved":0,"available":97})",
                              R"(StockLevelChanged {"sku":"B","onHand":49,"reserved":0,"available":49})",
                              "InventoryCommitted {\"orderId\":\"" + id +
                                  R"(","lines":[{"sku":"A","quantity":3},{"sku":"B","quantity":1}]})"}));
  commit(id);
  EXPECT_EQ(types_heard(), strings{"InventoryCommitted"});
  reserve(id, {{"A", 3}, {"B", 1}});
  EXPECT_EQ(types_heard(), strings{"InventoryReserved"}) << "a late duplicate of the first command";
  EXPECT_EQ(stock("A"), "97/0");
}

TEST_F(Commands, CommitWithoutAHoldFails) {
  const auto unknown = order(1);
  commit(unknown);
  EXPECT_EQ(heard(), strings{"InventoryCommitFailed {\"orderId\":\"" + unknown + R"(","reason":"unknown order"})"});
  const auto released = order(2);
  reserve(released, {{"A", 1}});
  release(released);
  host.take_emitted();
  commit(released);
  EXPECT_EQ(heard(), strings{"InventoryCommitFailed {\"orderId\":\"" + released + R"(","reason":"released"})"});
  EXPECT_EQ(stock("A"), "100/0");
}

TEST_F(Commands, ReleaseAfterCommitPutsTheGoodsBack) {
  const auto id = order(1);
  reserve(id, {{"A", 3}});
  commit(id);
  host.take_emitted();
  release(id);
  EXPECT_EQ(types_heard(), (strings{"StockLevelChanged", "InventoryReleased"}));
  release(id);
  EXPECT_EQ(types_heard(), strings{"InventoryReleased"});
  EXPECT_EQ(stock("A"), "100/0");
}

TEST_F(Commands, AHoldExpiresAndALateCommitFails) {
  const auto id = order(1);
  reserve(id, {{"A", 3}});
  host.advance(14min);
  EXPECT_EQ(stock("A"), "100/3");
  host.advance(2min);
  EXPECT_EQ(stock("A"), "100/0");
  host.take_emitted();
  commit(id);
  EXPECT_EQ(heard(), strings{"InventoryCommitFailed {\"orderId\":\"" + id + R"(","reason":"expired"})"});
  release(id);
  EXPECT_EQ(types_heard(), strings{"InventoryReleased"});
  EXPECT_EQ(stock("A"), "100/0");
}

TEST_F(Commands, EveryHoldExpiresWhateverItsIdLooksLike) {
  const auto ordinary = order(1);
  host.advance(10min);
  const auto delayed = order(2);        // reserved long after it was made
  const std::string foreign = "PO-77";  // tells no time
  reserve(ordinary, {{"A", 1}});
  reserve(foreign, {{"A", 2}});
  host.advance(12min);
  reserve(delayed, {{"A", 4}});
  EXPECT_EQ(stock("A"), "100/7");
  host.advance(4min);
  EXPECT_EQ(stock("A"), "100/4");
  host.advance(12min);
  EXPECT_EQ(stock("A"), "100/0");
  EXPECT_EQ(host.query("SELECT COUNT(*) FROM late_reservations")[0][0], "0");
}

TEST_F(Commands, TheSweepRunsAgainAfterARestart) {
  reserve(order(1), {{"A", 3}});
  host.restore_timers();
  host.advance(16min);
  EXPECT_EQ(stock("A"), "100/0");
}

TEST_F(Commands, MoreHoldsThanOneSweepTakesAllExpire) {
  put("M", R"({"onHand":2000})");
  for (int i = 0; i < 1'203; ++i) reserve(order(i), {{"M", 1}});
  EXPECT_EQ(stock("M"), "2000/1203");
  host.advance(16min);
  EXPECT_EQ(stock("M"), "2000/0");
}

TEST_F(Commands, LowStockIsToldOncePerCrossing) {
  reserve(order(1), {{"A", 89}});
  EXPECT_EQ(types_heard(), strings{"InventoryReserved"});
  reserve(order(2), {{"A", 1}});
  EXPECT_EQ(heard()[0], R"(LowStockAlert {"sku":"A","available":10,"threshold":10})");
  reserve(order(3), {{"A", 1}});
  EXPECT_EQ(types_heard(), strings{"InventoryReserved"});
  EXPECT_EQ(host.request("GET", "/inventory/alerts").json()["items"][0]["sku"].text(), "A");
  release(order(1));
  host.take_emitted();
  EXPECT_EQ(host.request("GET", "/inventory/alerts").json()["total"].integer(), 0);
  reserve(order(4), {{"A", 90}});
  EXPECT_EQ(types_heard()[0], "LowStockAlert") << "a new crossing";
}

TEST_F(Commands, OthersHearWhenTheLastOneIsHeldAndWhenOneIsFreeAgain) {
  reserve(order(1), {{"B", 50}});
  EXPECT_EQ(heard()[0], R"(StockLevelChanged {"sku":"B","onHand":50,"reserved":50,"available":0})");
  release(order(1));
  EXPECT_EQ(heard()[0], R"(StockLevelChanged {"sku":"B","onHand":50,"reserved":0,"available":50})");
}

TEST_F(Commands, CommitTakesFromOtherWarehousesAndAReturnGoesBackThere) {
  host.request("POST", "/inventory/warehouses", R"({"warehouseId":"east","name":"East"})");
  ASSERT_EQ(put("D", R"({"warehouses":[{"warehouseId":"main","onHand":2},{"warehouseId":"east","onHand":5}]})"), 201);
  const auto id = order(1);
  reserve(id, {{"D", 6}});
  commit(id);
  EXPECT_EQ(host.query("SELECT on_hand, home_on_hand FROM stock WHERE sku = 'D'")[0], (strings{"1", "0"}));
  EXPECT_EQ(host.query("SELECT on_hand FROM shelves WHERE sku = 'D'")[0][0], "1");
  release(id);
  EXPECT_EQ(host.query("SELECT on_hand, home_on_hand FROM stock WHERE sku = 'D'")[0], (strings{"7", "2"}));
  EXPECT_EQ(host.query("SELECT on_hand FROM shelves WHERE sku = 'D'")[0][0], "5");
}

// What the plugin remembers of rows is not what counts: a transaction that was rolled back, or somebody else, may have
// left them otherwise.
TEST_F(Commands, StockThatChangedUnseenIsHeldOnlyAsFarAsItReaches) {
  reserve(order(1), {{"A", 3}});
  host.exec("UPDATE stock SET on_hand = 4, home_on_hand = 4, version = version + 1 WHERE sku = 'A'");
  host.take_emitted();
  reserve(order(2), {{"A", 2}});
  EXPECT_EQ(types_heard(), strings{"InventoryRejected"});
  reserve(order(3), {{"A", 1}});
  EXPECT_EQ(stock("A"), "4/4");
}

TEST_F(Commands, ThresholdThatChangedUnseenIsKept) {
  reserve(order(1), {{"A", 3}});
  host.exec("UPDATE stock SET low_at = 96 WHERE sku = 'A'");
  host.take_emitted();
  reserve(order(2), {{"A", 1}});
  EXPECT_EQ(heard()[0], R"(LowStockAlert {"sku":"A","available":96,"threshold":96})");
}

TEST_F(Commands, GoodsThatMovedUnseenAreTakenFromWhereTheyAre) {
  host.request("POST", "/inventory/warehouses", R"({"warehouseId":"east","name":"East"})");
  reserve(order(1), {{"A", 3}});
  host.exec("UPDATE stock SET home_on_hand = 1 WHERE sku = 'A'");
  host.exec("INSERT INTO shelves (sku, warehouse_id, on_hand) VALUES ('A', 'east', 99)");
  commit(order(1));
  EXPECT_EQ(host.query("SELECT on_hand, home_on_hand, reserved FROM stock WHERE sku = 'A'")[0],
            (strings{"97", "0", "0"}));
  EXPECT_EQ(host.query("SELECT on_hand FROM shelves WHERE sku = 'A'")[0][0], "97");
}

TEST_F(Commands, ReservationThatEndedUnseenIsNotCommitted) {
  reserve(order(1), {{"A", 3}});
  host.exec("UPDATE reservations SET state = " + std::to_string(static_cast<int>(reservation_state::released)));
  host.take_emitted();
  commit(order(1));
  EXPECT_EQ(types_heard(), strings{"InventoryCommitFailed"});
  EXPECT_EQ(stock("A"), "100/3") << "nothing was taken";
}

TEST(Settings, ATimeoutThatIsNoDurationStopsTheStart) {
  gantry::testing::fake_host host;
  EXPECT_ANY_THROW(host.load<inventory_plugin>("inventory", R"({"reservation_timeout":"soon"})"));
}

TEST(Demo, StocksAThousandSkusInTwoWarehouses) {
  testing::warehouse_floor floor(R"({"demo":true,"demo_stock":1000})");
  EXPECT_EQ(floor.host.emitted().size(), 1'000U);
  const auto answer = floor.host.request("GET", "/inventory/SKU-1000");
  EXPECT_EQ(answer.body,
            R"({"sku":"SKU-1000","onHand":1000,"reserved":0,"available":1000,"warehouses":[{"warehouseId":"main",)"
            R"("onHand":750},{"warehouseId":"west","onHand":250}],"lowStockThreshold":10,"version":1})");
  EXPECT_EQ(floor.host.request("GET", "/inventory/SKU-0001").status, 200);
}

}  // namespace
}  // namespace inventory
