// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::base {

// Writes a line to stderr, for messages that cannot go to the log. If stderr does not take the line, because
// of a full disk or a pipe that nobody reads any more, the line is lost; fmt::print would throw. Any thread.
void write_to_stderr(const std::string& line);

// How many bytes one call may write to stderr so that they are not mixed with those of another process, and
// so that the call does not block if poll() says that stderr is writable. For a pipe and the like this is
// PIPE_BUF (pipe(7)), for a file any number. Any thread.
std::size_t most_at_once_on_stderr();

// The whole lines at the beginning of `text`, as many as `most` bytes hold. If the first line is longer, its
// first `most` bytes. If `text` is shorter than `most` and has no line end, all of it. Pure.
std::string_view first_lines(std::string_view text, std::size_t most);

}  // namespace driveshaft::base
