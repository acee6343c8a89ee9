// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::base {

// A line to stderr, for what cannot go to the log. Where stderr does not take it, on a full disk or into a
// pipe that nobody reads any more, it is lost; fmt::print would throw. Any thread.
void write_to_stderr(const std::string& line);

// How many bytes written at once are neither mixed with what another process writes nor, if poll() says that
// stderr takes more, waited for: PIPE_BUF for a pipe (pipe(7)) and the like, any number for a file. Any
// thread.
std::size_t most_at_once_on_stderr();

// The whole lines with which `text` begins, as many as `most` bytes hold; of a longer line its first `most`
// bytes. All of it if it is shorter than that and no line of it has an end.
std::string_view first_lines(std::string_view text, std::size_t most);

}  // namespace driveshaft::base
