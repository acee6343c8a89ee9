// SPDX-License-Identifier: MIT
#include "cli/probe_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string_view>

#include "cli/arguments.h"
#include "config/fastcgi_keys.h"
#include "config/headers.h"
#include "config/keys.h"
#include "config/load.h"
#include "net/address.h"
#include "net/tls.h"
#include "text/equal_ignoring_case.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using base::Error;
using base::Result;

Result<void> read_function(ProbeOptions& options, const std::string& text) {
  if (text.empty()) return Error{"expected the name of a function, got an empty one"};
  options.function = text;
  return {};
}

Result<void> read_workload(ProbeOptions& options, const std::string& text) {
  options.workload = text;
  if (!text.starts_with('@')) return {};
  auto content = config::read_file(text.substr(1));
  if (!content) return Error{fmt::format("file {}: {}", text.substr(1), content.error().message)};
  options.workload = std::move(*content);
  return {};
}

Result<void> read_format(ProbeOptions& options, const std::string& text) {
  using config::RequestFormat;
  std::vector<std::string_view> names;
  for (const auto format : {RequestFormat::json, RequestFormat::multipart, RequestFormat::urlencoded}) {
    names.push_back(config::name_of(format));
    if (names.back() != text) continue;
    options.format = format;
    return {};
  }
  return Error{
      fmt::format("expected one of {}, got \"{}\"", fmt::join(names, ", "), text::printable(text, 60))};
}

Result<void> read_secrets(ProbeOptions& options, const std::string& text) {
  const auto content = config::read_secret_file(text);
  auto keys =
      content ? config::signing_keys_of_file(*content) : Result<std::vector<text::Secret>>(content.error());
  if (!keys) return Error{fmt::format("file {}: {}", text::printable(text, 200), keys.error().message)};
  options.keys = std::move(*keys);
  return {};
}

// Reads "Name: value", or "Name: @path". Errors do not show the value, which may be a secret.
Result<void> read_header(ProbeOptions& options, const std::string& text) {
  const auto colon = text.find(':');
  if (colon == text.npos) return Error{"expected \"Name: value\" or \"Name: @path\", got no colon"};
  config::Header header{text.substr(0, colon), {}, {}};
  if (const auto good = config::check_header_name(header.name); !good) {
    return Error{fmt::format("{}: {}", text::printable(header.name, 60), good.error().message)};
  }
  const auto begin = std::min(text.find_first_not_of(' ', colon + 1), text.size());
  const std::string given = text.substr(begin);
  if (given.starts_with('@')) {
    header.file = given.substr(1);
    const auto content = config::read_secret_file(header.file);
    auto value = content ? config::header_value_of_file(*content) : Result<text::Secret>(content.error());
    if (!value) return Error{fmt::format("{}: file {}: {}", header.name, header.file, value.error().message)};
    header.value = std::move(*value);
  } else if (const auto good = config::check_header_value(given); !good) {
    return Error{fmt::format("{}: {}", header.name, good.error().message)};
  } else {
    header.value = text::Secret(given);
  }
  for (const auto& other : options.headers) {
    if (text::equal_ignoring_case(other.name, header.name))
      return Error{fmt::format("{} is given twice", header.name)};
  }
  options.headers.push_back(std::move(header));
  return {};
}

// Keeps the path. Whether the files can be used is checked when all options are known.
template <auto path>
Result<void> read_tls_file(ProbeOptions& options, const std::string& text) {
  if (text.empty()) return Error{"expected the path of a file, got an empty one"};
  options.tls.*path = std::filesystem::absolute(text);
  return {};
}

Result<void> read_server_name(ProbeOptions& options, const std::string& text) {
  auto name = net::parse_host_name(text);
  if (!name) return name.error();
  options.tls.server_name = std::move(*name);
  return {};
}

Result<void> read_document_root(ProbeOptions& options, const std::string& text) {
  const auto root = config::document_root_of(text);
  if (!root) return Error{fmt::format("expected an absolute path, got \"{}\"", text::printable(text, 60))};
  options.document_root = *root;
  return {};
}

Result<void> read_timeout(ProbeOptions& options, const std::string& text) {
  const auto time = read_time(text, 1ms, 1h);
  if (!time) return time.error();
  options.timeout = *time;
  return {};
}

struct ProbeRow {
  OptionName option;
  std::string_view description;
  Result<void> (*set)(ProbeOptions& options, const std::string& text);
};

constexpr ProbeRow kProbeOptions[] = {
    {{"function", "name"},
     "the function of the sample jobs; the endpoint runs it (default: driveshaft_probe)",
     read_function},
    {{"workload", "text"},
     "the workload of the plain sample; @path reads a file (default: driveshaft probe)",
     read_workload},
    {{"format", "format"}, "json, multipart or urlencoded, as request_format (default: json)", read_format},
    {{"secret-file", "path"},
     "sign requests with the secrets of this file, and test whether bad signatures are refused",
     read_secrets},
    {{"header", "text", true},
     "send \"Name: value\", too; \"Name: @path\" reads the value from a file; may be repeated",
     read_header},
    {{"ca-file", "path"},
     "for https: the authorities in PEM that are trusted (default: the system's)",
     read_tls_file<&net::TlsSettings::ca_file>},
    {{"certificate-file", "path"},
     "for https: our certificate in PEM, if the endpoint asks for one",
     read_tls_file<&net::TlsSettings::certificate_file>},
    {{"key-file", "path"},
     "for https: the key of that certificate",
     read_tls_file<&net::TlsSettings::key_file>},
    {{"server-name", "name"},
     "for https: the name that its certificate must have (default: the URI's host)",
     read_server_name},
    {{"document-root", "path"},
     "for FastCGI: as fastcgi_document_root (default: the script's folder)",
     read_document_root},
    {{"timeout", "time"}, "how long an answer may take (default: 10)", read_timeout},
};

Result<void> check_tls_options(const ProbeOptions& options) {
  if (options.tls == net::TlsSettings{}) return {};
  if (options.uri.scheme != net::Uri::Scheme::https) {
    return Error{"--ca-file, --certificate-file, --key-file and --server-name are for https:// alone"};
  }
  if (options.tls.certificate_file.empty() != options.tls.key_file.empty()) {
    return Error{options.tls.key_file.empty() ? "--certificate-file: its --key-file is missing"
                                              : "--key-file: its --certificate-file is missing"};
  }
  auto usable = net::check_tls(options.tls);
  return usable ? usable : Error{"probe: " + usable.error().message};
}

Result<void> check(const ProbeOptions& options, bool has_uri) {
  if (!has_uri) return Error{"probe: the URI of the endpoint is missing; driveshaft probe --help says more"};
  if (auto good = check_tls_options(options); !good) return good;
  if (!options.document_root.empty() && !options.uri.is_fastcgi()) {
    return Error{"--document-root is for fcgi:// and fcgi+unix:// alone"};
  }
  for (const auto& header : options.headers) {
    if (text::equal_ignoring_case(header.name, "Authorization") && !options.uri.authorization.empty()) {
      return Error{"--header Authorization: the URI has a user, which is sent as Authorization; remove one"};
    }
  }
  return {};
}

}  // namespace

bool is_probe(std::span<const char* const> arguments) {
  return !arguments.empty() && arguments[0] == std::string_view("probe");
}

Result<ProbeOptions> parse_probe(std::span<const char* const> arguments) {
  ProbeOptions options;
  std::vector<OptionName> names{kHelp};
  for (const ProbeRow& row : kProbeOptions) names.push_back(row.option);
  const auto given = split_arguments(arguments.subspan(1), names, "probe");
  if (!given) return given.error();
  bool has_uri = false;
  for (const auto& [option, text] : *given) {
    if (option == names.data()) {
      options.help = true;
      return options;
    }
    if (option) {
      if (const auto read = kProbeOptions[option - names.data() - 1].set(options, text); !read) {
        return Error{fmt::format("--{}: {}", option->name, read.error().message)};
      }
      continue;
    }
    if (text.starts_with('-')) {
      return Error{fmt::format("unknown option {} of probe; driveshaft probe --help lists them all",
                               text::printable(text, 60))};
    }
    if (has_uri) return Error{"probe: one URI at a time; driveshaft probe --help says more"};
    auto uri = net::parse_uri(text);
    if (!uri) return Error{"probe: " + uri.error().message};
    options.uri = std::move(*uri);
    has_uri = true;
  }
  if (const auto good = check(options, has_uri); !good) return good.error();
  return options;
}

std::vector<std::string> probe_option_names() {
  std::vector<std::string> names;
  for (const ProbeRow& row : kProbeOptions)
    names.push_back(fmt::format("{} {}", row.option.name, row.option.argument));
  return names;
}

std::string probe_help_text() {
  std::string text =
      "driveshaft probe URI [options]\n"
      "  calls an endpoint with sample jobs, as the daemon would, and says what is wrong with its answers;\n"
      "  exits with 0 if it conforms, 1 if it does not, 2 if the command line is wrong\n\n";
  for (const ProbeRow& row : kProbeOptions) {
    text += fmt::format("  {:<21} {}\n", fmt::format("--{} {}", row.option.name, row.option.argument),
                        row.description);
  }
  return text;
}

}  // namespace driveshaft::cli
