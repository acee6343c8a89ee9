# SPDX-License-Identifier: MIT
# The Debian package. `cpack` makes it from any build folder with a built driveshaft; `./dev package` from the release.
# Its files are in components of their own, so that `make install` goes on installing the program alone.

set(PACKAGING ${CMAKE_CURRENT_LIST_DIR})
set(DEBIAN_REVISION 1)
set(DOC /usr/share/doc/driveshaft)

function(install_document source destination)
  install(CODE "
    execute_process(COMMAND \"${CMAKE_COMMAND}\" -D \"FROM=${source}\" -D \"TO=\$ENV{DESTDIR}${destination}\"
      -P \"${PACKAGING}/install_document.cmake\" COMMAND_ERROR_IS_FATAL ANY)"
    COMPONENT debian EXCLUDE_FROM_ALL)
endfunction()

function(install_file destination)
  install(FILES ${ARGN} DESTINATION ${destination} COMPONENT debian EXCLUDE_FROM_ALL)
endfunction()

set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PROJECT_CONFIG_FILE ${PACKAGING}/maintainer.cmake)  # read when the package is made
configure_file(${PACKAGING}/debian/copyright debian/copyright COPYONLY)

install_file(/usr/lib/systemd/system ${PACKAGING}/driveshaft.service)
install_file(/etc/driveshaft ${PACKAGING}/jobs.json ${PACKAGING}/logconfig.xml)
install(FILES ${PACKAGING}/debian/logrotate DESTINATION /etc/logrotate.d RENAME driveshaft
  COMPONENT debian EXCLUDE_FROM_ALL)
install_file(${DOC} ${PACKAGING}/debian/copyright)
file(GLOB guides RELATIVE ${CMAKE_SOURCE_DIR}/docs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/guides/*.md)
foreach(document command-line.md configuration.md containers.md http-contract.md logging.md metrics.md openapi.yaml operations.md runbook.md tutorial.md
    ${guides})
  install_document(${CMAKE_SOURCE_DIR}/docs/${document} ${DOC}/${document})
endforeach()
# The date is that of the package's making, or $SOURCE_DATE_EPOCH.
install(CODE "
  include(\"${PACKAGING}/maintainer.cmake\")
  set(VERSION ${PROJECT_VERSION}-${DEBIAN_REVISION})
  string(TIMESTAMP DATE \"%a, %d %b %Y %H:%M:%S +0000\" UTC)
  configure_file(\"${PACKAGING}/debian/changelog.in\" \"\$ENV{DESTDIR}${DOC}/changelog.Debian\" @ONLY)
  execute_process(COMMAND gzip -9nf \"\$ENV{DESTDIR}${DOC}/changelog.Debian\" COMMAND_ERROR_IS_FATAL ANY)"
  COMPONENT debian EXCLUDE_FROM_ALL)
install_document(${CMAKE_SOURCE_DIR}/CHANGELOG.md ${DOC}/changelog.gz)
install_document(${CMAKE_SOURCE_DIR}/docs/driveshaft.1 /usr/share/man/man1/driveshaft.1.gz)
install(DIRECTORY examples DESTINATION ${DOC} COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_SOURCE_GENERATOR "")
set(CPACK_SET_DESTDIR ON)  # what lies in /etc is outside of the prefix
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_CMAKE_PROJECTS
  "${CMAKE_BINARY_DIR};driveshaft;program;/;${CMAKE_BINARY_DIR};driveshaft;debian;/")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_PACKAGE_NAME driveshaft)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs the jobs of a Gearman server on HTTP endpoints")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "Driveshaft takes jobs from gearmand, POSTs each to the HTTP endpoint that is
configured for it, and hands the answer back as the job's result. Jobs run in
pools with a limit each; one event loop and a few connections carry them all.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${DEBIAN_REVISION})
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, logrotate")  # https:// needs authorities
set(CPACK_DEBIAN_PACKAGE_SUGGESTS gearman-job-server)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PACKAGING}/debian/conffiles ${PACKAGING}/debian/postinst
  ${PACKAGING}/debian/prerm ${PACKAGING}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
