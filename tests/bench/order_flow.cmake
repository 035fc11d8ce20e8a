add_executable(order_flow ${CMAKE_CURRENT_LIST_DIR}/order_flow.cpp)
target_link_libraries(order_flow PRIVATE gantry_host_app gantry_warnings)
target_compile_definitions(order_flow PRIVATE GANTRY_PLUGIN_DIR="${GANTRY_PLUGIN_DIR}")
