#!/usr/bin/env python3
"""Tests the checker of the arrows: each kind of violation is found with file and line, and nothing else is."""

import pathlib
import tempfile
import unittest

from arrows_test import Checker


class CheckerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path, text=""):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def found(self):
        return Checker(self.root).run()

    def finds(self, path, line, words):
        """One violation, in the second line of `path`, that says `words`."""
        self.write(path, "// First line.\n" + line + "\n")
        found = self.found()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:2: "), found[0])
        self.assertIn(words, found[0])

    def test_a_sound_tree_has_no_violations(self):
        self.write("host/base/clock.hpp", "#include <chrono>\n")
        self.write("host/runtime/lane.cpp", '#include "base/clock.hpp"\n#include "gantry/abi/bus.h"\n')
        self.write("host/http/transport.cpp", "#include <pistache/tcp.h>\n")
        self.write("host/app/host_process.cpp", '#include "bus/local/local_bus.hpp"\n')
        self.write("sdk/include/gantry/tx.hpp", '#include <string>\n#include "gantry/abi/store.h"\n')
        self.write("plugins/order/domain/flow.hpp", '#include <vector>\n#include "gantry/saga.hpp"\n')
        self.write("plugins/order/wiring.cpp", '#include "domain/flow.hpp"\n#include <gantry/plugin.hpp>\n')
        self.write("plugins/order/tests/flow_test.cpp", "#include <gtest/gtest.h>\n#include <gantry/testing/fake_host.hpp>\n")
        self.write("plugins/payment/provider/client.cpp", "#include <boost/asio.hpp>\n")
        self.assertEqual(self.found(), [])

    def test_the_host_includes_no_plugin(self):
        self.finds("host/runtime/lane.cpp", '#include "plugins/order/plugin.hpp"', "its own rooms only")

    def test_the_host_includes_no_wrapper(self):
        self.finds("host/runtime/lane.cpp", '#include "gantry/plugin.hpp"', "only gantry/abi/")

    def test_a_lower_room_includes_no_upper_one(self):
        self.finds("host/base/clock.cpp", '#include "runtime/lane.hpp"', "base/ includes runtime/")

    def test_only_app_names_a_driver(self):
        self.finds("host/runtime/lane.cpp", '#include "store/sqlite/sqlite_store.hpp"', "only host/app names a driver")

    def test_only_app_links_a_driver(self):
        self.finds("host/runtime/CMakeLists.txt", "gantry_room(runtime LIBS gantry_host_bus_local)", "outside host/app")

    def test_a_library_stays_in_its_room(self):
        self.finds("host/runtime/lane.cpp", "#include <spdlog/spdlog.h>", "expected only in host/observability")

    def test_a_plugin_includes_no_other_plugin(self):
        self.write("plugins/payment/domain/payment.hpp")
        self.finds("plugins/order/wiring.cpp", '#include "../payment/domain/payment.hpp"', "its own folder")

    def test_a_plugin_includes_no_driver(self):
        self.finds("plugins/order/store/orders.cpp", "#include <sqlite3.h>", "a plugin never includes")

    def test_a_plugin_links_no_room(self):
        self.finds("plugins/order/CMakeLists.txt", "target_link_libraries(order gantry_host_base)", "links a room")

    def test_a_network_stays_at_the_edge_of_a_plugin(self):
        self.finds("plugins/order/api/place.cpp", "#include <boost/asio.hpp>", "shows in api/")

    def test_the_domain_opens_no_file(self):
        self.finds("plugins/order/domain/flow.cpp", "#include <fstream>", "does no I/O")

    def test_the_domain_reads_no_clock(self):
        self.finds("plugins/order/domain/flow.cpp", "auto t = std::chrono::system_clock::now();", "no time")

    def test_the_domain_knows_no_transaction(self):
        self.finds("plugins/order/domain/flow.cpp", "#include <gantry/tx.hpp>", "only the SDK's values")

    def test_the_domain_includes_only_itself(self):
        self.write("plugins/order/store/orders.hpp")
        self.finds("plugins/order/domain/flow.cpp", '#include "store/orders.hpp"', "only domain/")

    def test_the_sdk_shows_no_library(self):
        self.finds("sdk/include/gantry/json.hpp", "#include <boost/json.hpp>", "public headers")

    def test_the_abi_is_c(self):
        self.finds("sdk/include/gantry/abi/bus.h", "#include <string>", "the ABI includes only")

    def test_tests_do_not_sleep(self):
        self.finds("tests/unit/bus/bus_test.cpp", "std::this_thread::sleep" "_for(1ms);", "a test sleeps")

    def test_nothing_is_left_for_later(self):
        self.finds("host/base/clock.cpp", "// TO" "DO: leap seconds", "unfinished work")


if __name__ == "__main__":
    unittest.main()
