// SPDX-License-Identifier: MIT
#include "base/log_appenders.h"

#include <log4cxx/fileappender.h>
#include <log4cxx/helpers/bytebuffer.h>
#include <log4cxx/helpers/class.h>
#include <log4cxx/helpers/outputstream.h>
#include <log4cxx/helpers/pool.h>
#include <log4cxx/helpers/writer.h>
#include <log4cxx/rolling/rollingfileappender.h>

#include <memory>
#include <utility>

namespace driveshaft::base {
namespace {

namespace helpers = log4cxx::helpers;

// Lines are UTF-8 already: they go to the stream in one piece.
class Utf8Writer final : public helpers::Writer {
 public:
  explicit Utf8Writer(helpers::OutputStreamPtr stream) : stream_(std::move(stream)) {}

  void write(const log4cxx::LogString& text, helpers::Pool& pool) override {
    helpers::ByteBuffer bytes(const_cast<char*>(text.data()), text.size());  // is only read from
    stream_->write(bytes, pool);
  }
  void flush(helpers::Pool& pool) override { stream_->flush(pool); }
  void close(helpers::Pool& pool) override { stream_->close(pool); }

 private:
  const helpers::OutputStreamPtr stream_;
};

// An appender that logs UTF-8 unless the file asks for another encoding.
template <class Appender>
class Utf8 final : public Appender {
 protected:
  helpers::WriterPtr createWriter(helpers::OutputStreamPtr& stream) override {
    const auto encoding = this->getEncoding();
    if (encoding.empty() || encoding == "UTF-8") return std::make_shared<Utf8Writer>(stream);
    return Appender::createWriter(stream);
  }
};

// What makes appenders of a class when a file names it.
template <class Appender>
class Maker final : public helpers::Class {
 public:
  explicit Maker(std::string name) : name_(std::move(name)) {}
  log4cxx::LogString getName() const override { return name_; }
  helpers::Object* newInstance() const override { return new Utf8<Appender>(); }

 private:
  const std::string name_;
};

}  // namespace

void register_appenders() {
  helpers::Class::forName("FileAppender");  // has log4cxx register its own first
  static const Maker<log4cxx::FileAppender> file("FileAppender");
  static const Maker<log4cxx::rolling::RollingFileAppender> rolling("RollingFileAppender");
  helpers::Class::registerClass(file);
  helpers::Class::registerClass(rolling);
}

}  // namespace driveshaft::base
