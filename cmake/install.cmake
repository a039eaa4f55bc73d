# What `cmake --install` puts where: the programs, the unit, the sample configuration.
include(GNUInstallDirs)
install(TARGETS leaseholdd leasehold RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES config/sample.hcl DESTINATION ${CMAKE_INSTALL_DATADIR}/leasehold)
# The unit names the programs where they are, and only the installation knows the prefix.
set(UNIT_DIRECTORY lib/systemd/system)  # never lib64 or lib/x86_64-linux-gnu
install(CODE "
  file(READ \"${CMAKE_SOURCE_DIR}/config/leasehold.service\" unit)
  string(REPLACE \"/usr/bin/leaseholdd\"
         \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/leaseholdd\" unit \"\${unit}\")
  file(WRITE \"${CMAKE_BINARY_DIR}/generated/leasehold.service\" \"\${unit}\")")
install(FILES ${CMAKE_BINARY_DIR}/generated/leasehold.service DESTINATION ${UNIT_DIRECTORY})
