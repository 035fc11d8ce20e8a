# gantry-manifest refuses FILE for the reason EXPECTED. Arguments: TOOL, FILE, EXPECTED, MANIFEST (beside FILE, or empty),
# OBJCOPY.
if(MANIFEST)
  execute_process(COMMAND ${TOOL} --write ${FILE}.json ${FILE} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${OBJCOPY} --remove-section .gantry.manifest --add-section .gantry.manifest=${FILE}.json
                          --set-section-flags .gantry.manifest=noload,readonly ${FILE} ${FILE}.with
                  COMMAND_ERROR_IS_FATAL ANY)
  set(FILE ${FILE}.with)
endif()
execute_process(COMMAND ${TOOL} --check ${FILE} RESULT_VARIABLE result ERROR_VARIABLE errors OUTPUT_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "accepted: ${FILE}")
endif()
if(NOT errors MATCHES "${EXPECTED}")
  message(FATAL_ERROR "expected '${EXPECTED}', found: ${errors}")
endif()
