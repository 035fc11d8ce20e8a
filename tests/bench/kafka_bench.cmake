add_executable(kafka_bench ${CMAKE_CURRENT_LIST_DIR}/kafka_bench.cpp)
target_link_libraries(kafka_bench PRIVATE gantry_host_bus_kafka PkgConfig::RDKAFKA gantry_warnings Threads::Threads)
