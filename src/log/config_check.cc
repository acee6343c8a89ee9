// SPDX-License-Identifier: MIT
#include "log/config_check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <log4cxx/appenderskeleton.h>
#include <log4cxx/db/odbcappender.h>
#include <log4cxx/fileappender.h>
#include <log4cxx/helpers/class.h>
#include <log4cxx/helpers/exception.h>
#include <log4cxx/helpers/fileinputstream.h>
#include <log4cxx/helpers/optionconverter.h>
#include <log4cxx/helpers/properties.h>
#include <log4cxx/helpers/stringhelper.h>
#include <log4cxx/logger.h>
#include <log4cxx/logmanager.h>
#include <log4cxx/net/smtpappender.h>
#include <log4cxx/net/xmlsocketappender.h>
#include <log4cxx/spi/appenderattachable.h>

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <memory>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/exit_codes.h"
#include "log/file.h"

namespace driveshaft::log {
namespace {

namespace helpers = log4cxx::helpers;
using boost::property_tree::ptree;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw base::StartupError(base::kExitLogConfig, fmt::format("the log config {}: {}", path, why));
}

bool is_properties(const std::string& path) { return path.ends_with(".properties"); }

// As log4cxx reads it: ${NAME} is a variable of the environment.
std::string substituted(const std::string& text) {
  helpers::Properties none;
  return helpers::OptionConverter::substVars(text, none);
}

void require_class(const std::string& path, const std::string& name, const std::string& where) {
  try {
    helpers::Class::forName(name);
  } catch (const helpers::Exception&) {
    refuse(path,
           fmt::format("{} is of the class {}, which log4cxx does not have; correct the name, or choose "
                       "another class",
                       where, name));
  }
}

std::string attribute(const ptree& element, const char* name) {
  return substituted(element.get(std::string("<xmlattr>.") + name, ""));
}

// The children of the configuration's element; none if this parser cannot read the file. log4cxx's own parser
// decides.
ptree read_tree(const std::string& path) {
  ptree document;
  try {
    boost::property_tree::read_xml(path, document);
  } catch (const boost::property_tree::xml_parser_error&) {
    return {};
  }
  for (auto& [tag, element] : document) {
    if (tag == "log4j:configuration" || tag == "configuration") return element;
  }
  return {};
}

constexpr std::string_view kMadeOfClasses[] = {"appender",      "layout",           "filter",
                                               "rollingPolicy", "triggeringPolicy", "errorHandler"};

void require_classes_within(const std::string& path, const ptree& parent, const std::string& where) {
  for (const auto& [tag, element] : parent) {
    if (std::ranges::find(kMadeOfClasses, tag) == std::end(kMadeOfClasses)) continue;
    const std::string name = attribute(element, "name");
    const std::string here = (name.empty() ? tag : fmt::format("{} \"{}\"", tag, name)) + where;
    require_class(path, attribute(element, "class"), here);
    require_classes_within(path, element, " of " + here);
  }
}

// log4j.appender.NAME=class and log4j.appender.NAME.PART=class; other values are options.
void require_property_classes(const std::string& path) {
  helpers::Properties properties;
  properties.load(std::make_shared<helpers::FileInputStream>(path));
  constexpr std::string_view kPrefix = "log4j.appender.";
  for (const auto& key : properties.propertyNames()) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string rest = key.substr(kPrefix.size());
    const auto dot = rest.find('.');
    const std::string part = dot == rest.npos ? "" : helpers::StringHelper::toLowerCase(rest.substr(dot + 1));
    if (!part.empty() && part != "layout" && part != "rollingpolicy" && part != "triggeringpolicy") continue;
    require_class(path, substituted(properties.getProperty(key)), key);
  }
}

// log4cxx only prints that there is no appender of that name.
void require_defined_appenders(const std::string& path, const ptree& tree) {
  std::set<std::string> defined;
  for (const auto& [tag, element] : tree) {
    if (tag == "appender") defined.insert(attribute(element, "name"));
  }
  for (const auto& [tag, element] : tree) {
    for (const auto& [inner_tag, inner] : element) {
      if (inner_tag != "appender-ref") continue;
      const std::string name = attribute(inner, "ref");
      if (defined.contains(name)) continue;
      const std::string by = attribute(element, "name");
      refuse(path, fmt::format("there is no appender \"{}\", which {} refers to; define it", name,
                               by.empty() ? tag : fmt::format("the {} {}", tag, by)));
    }
  }
}

// Adds the appenders behind other appenders, too.
void collect(const log4cxx::AppenderList& appenders, std::vector<log4cxx::AppenderPtr>& all) {
  for (const auto& appender : appenders) {
    all.push_back(appender);
    const auto hands_on = log4cxx::cast<log4cxx::spi::AppenderAttachable>(appender);
    if (hands_on) collect(hands_on->getAllAppenders(), all);
  }
}

std::vector<log4cxx::AppenderPtr> appenders_of(log4cxx::LoggerPtr logger) {
  std::vector<log4cxx::AppenderPtr> all;
  for (; logger; logger = logger->getParent()) {
    collect(logger->getAllAppenders(), all);
    if (!logger->getAdditivity()) break;
  }
  return all;
}

// The headers of log4cxx do not say what it was built with. The libraries that are loaded with it show that.
bool is_linked_with(const char* function) { return ::dlsym(RTLD_DEFAULT, function) != nullptr; }

// Why the appender would drop every line, for which log4cxx only prints a message. Empty: it may work.
// Whether a host answers is only known later.
std::string why_useless(const log4cxx::AppenderPtr& appender) {
  if (!is_linked_with("SQLAllocHandle") && log4cxx::cast<log4cxx::db::ODBCAppender>(appender)) {
    return "cannot work, as this log4cxx is built without ODBC; choose another class";
  }
  if (!is_linked_with("smtp_create_session") && log4cxx::cast<log4cxx::net::SMTPAppender>(appender)) {
    return "cannot work, as this log4cxx is built without SMTP; choose another class";
  }
  const auto socket = log4cxx::cast<log4cxx::net::XMLSocketAppender>(appender);
  if (socket && socket->getRemoteHost().empty()) return "names no host; give it the param RemoteHost";
  return {};
}

}  // namespace

std::string xml_mistake(const std::string& path) {
  if (is_properties(path)) return {};
  std::ifstream file(path);
  const int first = (file >> std::ws).peek();
  if (std::isgraph(first) && first != '<') {
    return "it does not begin with < as XML does; if it is a properties file, give it a name that ends in "
           ".properties";
  }
  ptree document;
  try {
    boost::property_tree::read_xml(path, document);
  } catch (const boost::property_tree::xml_parser_error& e) {
    return fmt::format("{} (line {})", e.message(), e.line());
  }
  const bool empty = std::all_of(document.begin(), document.end(),
                                 [](const auto& child) { return child.first == "<xmlcomment>"; });
  return empty ? "it is empty; begin with examples/logconfig.xml, or leave --logconfig out to log to stderr"
               : "";
}

void require_known_names(const std::string& path) {
  if (is_properties(path)) return require_property_classes(path);
  const ptree tree = read_tree(path);
  require_classes_within(path, tree, "");
  require_defined_appenders(path, tree);
}

void require_working_appenders(const std::string& path) {
  for (const auto& file : file_appenders()) {
    if (file->getWriter()) continue;
    if (file->getFile().empty()) {
      refuse(path, fmt::format("appender \"{}\" names no file; give it the param File", file->getName()));
    }
    const int error = why_not_appendable(file->getFile());
    refuse(path,
           fmt::format("cannot open the log file {} of appender \"{}\": {}; name one that can be written",
                       file->getFile(), file->getName(),
                       error ? std::generic_category().message(error) : "see log4cxx's message above"));
  }
  std::size_t appenders = 0;
  for (const char* name : {"Main", "Thread"}) {
    for (const auto& appender : appenders_of(log4cxx::Logger::getLogger(std::string(name)))) {
      ++appenders;
      if (const std::string why = why_useless(appender); !why.empty()) {
        refuse(path, fmt::format("appender \"{}\" {}", appender->getName(), why));
      }
      if (appender->requiresLayout() && !appender->getLayout()) {
        refuse(path, fmt::format("appender \"{}\" has no layout; give it one, such as "
                                 "org.apache.log4j.PatternLayout",
                                 appender->getName()));
      }
      const auto hands_on = log4cxx::cast<log4cxx::spi::AppenderAttachable>(appender);
      if (hands_on && hands_on->getAllAppenders().empty()) {
        refuse(path, fmt::format("appender \"{}\" hands lines to other appenders and refers to none; give it "
                                 "an appender-ref",
                                 appender->getName()));
      }
    }
  }
  if (appenders == 0) {
    refuse(path,
           "neither root nor the loggers Main and Thread have an appender, so nothing would be logged; "
           "give root an appender-ref");
  }
}

}  // namespace driveshaft::log
