# SPDX-License-Identifier: MIT
# Who answers for the Debian package: whoever makes it to pass it on, by the variables that Debian's own tools read.
if("$ENV{DEBEMAIL}" STREQUAL "")
  # The name says that there is no such address (RFC 2606).
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The Driveshaft authors <nobody@driveshaft.invalid>")
elseif("$ENV{DEBFULLNAME}" STREQUAL "")
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "$ENV{DEBEMAIL} <$ENV{DEBEMAIL}>")
else()
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
