// SPDX-License-Identifier: MIT
#include "config/header_keys.h"

#include "config/headers.h"
#include "config/key_table.h"
#include "config/unknown_keys.h"
#include "text/equal_ignoring_case.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

constexpr std::string_view kFile = "file";
constexpr std::size_t kMaxPath = 4095;  // bytes

std::string_view kind_of(const Value& value) {
  switch (value.node().kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::number:
      return "a number";
    case Node::Kind::string:
      return "text (not shown, it may be a secret)";
    case Node::Kind::array:
      return "an array";
    case Node::Kind::object:
      return "an object";
  }
  return {};
}

bool is_path(const Value& value) {
  const std::string& text = value.node().text;
  return value.is(Node::Kind::string) && text.size() <= kMaxPath && is_absolute_path(text);
}

// Reads the file at `value` and calls `take` with its content. Reports the error of either.
template <class Take>
void read_file(const Value& value, Take take) {
  if (!value.read_file()) return;
  const std::string& path = value.node().text;
  const auto content = value.read_file()(path);
  const base::Result<void> taken = content ? take(*content) : base::Result<void>(content.error());
  if (!taken) value.error(fmt::format("file {}: {}", text::printable(path, kMaxPath), taken.error().message));
}

void read_value(const Value& value, Header& header) {
  if (value.is(Node::Kind::string)) {
    header.value = text::Secret(value.node().text);
    if (const auto good = check_header_value(value.node().text); !good) value.error(good.error().message);
    return;
  }
  const Node* file = value.is(Node::Kind::object) ? value.node().find(kFile) : nullptr;
  if (!file) {
    return value.error(fmt::format("expected text, null or {{\"file\": \"/path\"}}, got {}{}", kind_of(value),
                                   value.is(Node::Kind::object) ? " without \"file\"" : ""));
  }
  const std::string_view known[] = {kFile};
  refuse_unknown_keys(value, known);
  const Value path = value.member(*file);
  if (!is_path(path))
    return path.error(fmt::format("expected the absolute path of a file, got {}", kind_of(path)));
  header.file = file->text;
  read_file(path, [&](const std::string& content) -> base::Result<void> {
    auto text = header_value_of_file(content);
    if (!text) return text.error();
    header.value = std::move(*text);
    return {};
  });
}

}  // namespace

bool Headers::read(const Value& value, std::vector<Header>& headers) {
  if (!value.is(Node::Kind::object)) {
    value.error(fmt::format("expected an object of names and values, got {}", kind_of(value)));
    return true;
  }
  std::vector<std::string_view> names;
  for (const Node& child : value.node().children) {
    // Messages show the name, which must not contain the value.
    if (const auto colon = child.key.find(':'); colon != child.key.npos) {
      value.error(fmt::format("the value does not stand in the name: \"{}: …\" is written \"{}\": \"…\"",
                              text::printable({child.key.data(), colon}, 60),
                              text::printable({child.key.data(), colon}, 60)));
      continue;
    }
    const Value member = value.member(child);
    if (const auto good = check_header_name(child.key); !good) {
      member.key_error(good.error().message);
      continue;
    }
    const auto same = [&](std::string_view name) { return text::equal_ignoring_case(name, child.key); };
    if (const auto twin = std::find_if(names.begin(), names.end(), same);
        twin != names.end() && *twin != child.key) {
      member.key_error(fmt::format("the header stands twice, first as \"{}\"; remove one", *twin));
      continue;
    }
    names.push_back(child.key);
    if (child.key.find('_') != child.key.npos) {
      member.key_warning(
          "nginx drops headers with an underscore in their name, and others take it for a hyphen");
    }
    const auto known =
        std::find_if(headers.begin(), headers.end(), [&](const Header& header) { return same(header.name); });
    if (member.is(Node::Kind::null)) {
      if (known != headers.end()) headers.erase(known);
      continue;
    }
    Header header{child.key, {}, {}};
    read_value(member, header);
    if (known == headers.end()) {
      headers.push_back(std::move(header));
    } else {
      *known = std::move(header);
    }
  }
  if (headers.size() > kMaxHeaders) {
    value.error(fmt::format("expected at most {} headers, got {}", kMaxHeaders, headers.size()));
  }
  return true;
}

bool SigningFile::read(const Value& value, Signing& signing) {
  signing = {};
  if (value.is(Node::Kind::string) && value.node().text.empty()) return true;
  if (!is_path(value)) {
    value.error(
        fmt::format("expected the absolute path of a file, or \"\" for none, got {}", kind_of(value)));
    return true;
  }
  signing.file = value.node().text;
  read_file(value, [&](const std::string& content) -> base::Result<void> {
    auto keys = signing_keys_of_file(content);
    if (!keys) return keys.error();
    signing.keys = std::move(*keys);
    return {};
  });
  return true;
}

std::string Headers::show(const std::vector<Header>& headers) {
  std::vector<std::string> members;
  members.reserve(headers.size());
  for (const Header& header : headers) {
    members.push_back(fmt::format(
        "{}: {}", quoted_json(header.name),
        header.file.empty() ? "\"***\"" : fmt::format("{{\"file\": {}}}", quoted_json(header.file))));
  }
  return fmt::format("{{{}}}", fmt::join(members, ", "));
}

std::string SigningFile::show(const Signing& signing) { return quoted_json(signing.file); }

std::vector<std::string> describe_headers(const PoolSettings& before, const PoolSettings& after) {
  std::vector<std::string> lines;
  const auto text_before = Headers::show(before.headers);
  const auto text_after = Headers::show(after.headers);
  if (text_before != text_after) lines.push_back(from_to("headers", text_before, text_after));
  for (const Header& header : after.headers) {
    const bool has_another_value =
        std::any_of(before.headers.begin(), before.headers.end(), [&](const Header& other) {
          return other.name == header.name && other.file == header.file && other.value != header.value;
        });
    if (!has_another_value) continue;
    lines.push_back(fmt::format("headers: another value of {}{}", header.name,
                                header.file.empty() ? "" : ", from its file"));
  }
  return lines;
}

std::vector<std::string> describe_signing(const PoolSettings& before, const PoolSettings& after) {
  const auto& [file, keys] = after.signing;
  if (before.signing.file == file) {
    return {fmt::format("signing_secret_file {}: other secrets, {} now", file, keys.size())};
  }
  return {
      from_to("signing_secret_file", SigningFile::show(before.signing), SigningFile::show(after.signing))};
}

void check_authorization(const Value& value, const net::Uri& uri, const PoolSettings& settings) {
  const bool has_header = std::any_of(
      settings.headers.begin(), settings.headers.end(),
      [](const Header& header) { return text::equal_ignoring_case(header.name, "Authorization"); });
  if (!has_header || uri.authorization.empty()) return;
  value.error(
      "it has a user, which is sent as Authorization, and so has headers, the pool's or the top level's; "
      "remove one");
}

}  // namespace driveshaft::config
