// SPDX-License-Identifier: MIT
// The one place where Asio and Beast are compiled; see BOOST_ASIO_SEPARATE_COMPILATION in CMakeLists.txt.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
