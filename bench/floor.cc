// SPDX-License-Identifier: MIT
//
// The floor: the least a program can do to carry jobs from gearmand to an HTTP endpoint and back, on one
// thread and one epoll set. It parses nothing beyond framing, logs nothing, counts nothing and gives up at
// the first surprise. It is the yardstick that the daemon is measured against, not an example of how to write
// one: it trusts both of its peers, copies workloads into JSON unescaped, and takes the answer from a fixed
// place in the body.

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <vector>

#include "floor_wire.h"

namespace {

using std::string_view;

constexpr std::size_t kMaxBurst = 64;         // grabs unanswered at once: no host hoards a queue
constexpr std::size_t kReadSize = 64 * 1024;  // room that every read from gearmand finds
constexpr std::size_t kCopyBelow = 4096;      // a request this small leaves in one plain send
constexpr string_view kBodyHead = R"({"gearman_ret":0,"response_string":")";  // what surrounds the answer in
constexpr string_view kBodyTail = R"("})";                                    // the endpoint's body

// One kept-alive connection to the endpoint and the job it carries.
struct Exchange {
  int fd = -1;
  std::string handle;  // with its closing NUL, as WORK_COMPLETE wants it
  std::string unsent;  // of the request
  std::string input;   // of an answer that came in pieces
};

class Floor {
 public:
  Floor(const sockaddr_in& gearmand, const sockaddr_in& endpoint, string_view host, string_view path,
        string_view function, std::size_t slots)
      : epoll_(epoll_create1(EPOLL_CLOEXEC)), endpoint_(endpoint), slots_(slots) {
    request_head_.append("POST ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
    request_head_.append("\r\nContent-Type: application/json\r\nContent-Length: ");
    body_head_.append(R"({"function_name":")").append(function).append(R"(","job_handle":")");
    gearmand_ = connect_to(epoll_, gearmand, nullptr);
    append_packet(output_, kCanDo, function);
    grab();
  }

  [[noreturn]] void run() {
    for (;;) {
      flush();
      epoll_event events[256];
      int count = epoll_wait(epoll_, events, std::size(events), -1);
      bool from_gearmand = false;
      for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr == nullptr) {
          from_gearmand = true;
        } else {
          on_exchange(*static_cast<Exchange*>(events[i].data.ptr));
        }
      }
      if (from_gearmand) read_gearmand();
    }
  }

 private:
  void grab() {
    if (asleep_ || (dry_ && outstanding_ > 0)) return;
    dry_ = false;
    for (std::size_t want = std::min(slots_ - inflight_, burst_); outstanding_ < want; ++outstanding_) {
      append_packet(output_, kGrabJobUniq);
    }
  }

  void flush() {
    if (output_.empty()) return;
    iovec part{output_.data(), output_.size()};
    output_.erase(0, send_some(gearmand_, &part, 1));
  }

  void read_gearmand() {
    for (;;) {
      if (capacity_ - end_ < kReadSize) make_room();
      std::size_t room = capacity_ - end_;
      std::size_t got = receive_some(gearmand_, input_.get() + end_, room);
      end_ += got;
      while (end_ - begin_ >= kHeaderSize) {
        std::size_t size = kHeaderSize + read_u32(input_.get() + begin_ + 8);
        if (end_ - begin_ < size) break;
        const char* packet = input_.get() + begin_;
        on_packet(read_u32(packet + 4), {packet + kHeaderSize, size - kHeaderSize});
        begin_ += size;
      }
      if (begin_ == end_) begin_ = end_ = 0;
      if (got < room) return;  // drained: the next byte is a new edge
    }
  }

  // Moves what is left of the input to the front, into a bigger buffer where this one would not do.
  void make_room() {
    std::size_t left = end_ - begin_;
    if (capacity_ < left + 2 * kReadSize) {
      capacity_ = std::max<std::size_t>(2 * capacity_, 4 * kReadSize);
      std::unique_ptr<char[]> bigger(new char[capacity_]);
      if (left > 0) std::memcpy(bigger.get(), input_.get() + begin_, left);
      input_ = std::move(bigger);
    } else if (left > 0) {
      std::memmove(input_.get(), input_.get() + begin_, left);
    }
    begin_ = 0;
    end_ = left;
  }

  void on_packet(std::uint32_t type, string_view data) {
    switch (type) {
      case kJobAssignUniq:
        --outstanding_;
        ++inflight_;
        burst_ = std::min(2 * burst_, kMaxBurst);
        dry_ = false;
        post(data);
        grab();
        break;
      case kNoJob:
        --outstanding_;
        burst_ = 1;
        dry_ = true;
        if (outstanding_ == 0) {
          append_packet(output_, kPreSleep);
          asleep_ = true;
        }
        break;
      case kNoop:
        if (!asleep_) break;
        asleep_ = dry_ = false;
        burst_ = 1;
        grab();
        break;
      default:
        errno = EPROTO;
        die("gearmand sent a packet that this program does not know");
    }
  }

  void post(string_view job) {
    string_view handle = take_until_nul(job);
    take_until_nul(job);  // the function: there is only one
    string_view unique = take_until_nul(job);

    if (free_.empty()) {
      exchanges_.push_back(std::make_unique<Exchange>());
      free_.push_back(exchanges_.back().get());
      free_.back()->fd = connect_to(epoll_, endpoint_, free_.back());
    }
    Exchange& exchange = *free_.back();
    free_.pop_back();
    exchange.handle.assign(handle.data(), handle.size() + 1);

    constexpr string_view kUnique = R"(","unique":")", kWorkload = R"(","workload":")", kEnd = R"("})";
    std::size_t length = body_head_.size() + handle.size() + kUnique.size() + unique.size() +
                         kWorkload.size() + job.size() + kEnd.size();
    char digits[20];
    char* digits_end = std::to_chars(digits, digits + sizeof digits, length).ptr;

    request_.assign(request_head_).append(digits, digits_end).append("\r\n\r\n");
    request_.append(body_head_).append(handle).append(kUnique).append(unique).append(kWorkload);
    if (job.size() < kCopyBelow) {
      request_.append(job).append(kEnd);
      iovec whole{request_.data(), request_.size()};
      std::size_t sent = send_some(exchange.fd, &whole, 1);
      if (sent < request_.size()) exchange.unsent.assign(request_, sent);
      return;
    }
    string_view parts[] = {request_, job, kEnd};
    iovec vectors[3];
    for (int i = 0; i < 3; ++i) vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
    std::size_t sent = send_some(exchange.fd, vectors, 3);
    for (string_view part : parts) {
      std::size_t skip = std::min(sent, part.size());
      exchange.unsent.append(part.substr(skip));
      sent -= skip;
    }
  }

  void on_exchange(Exchange& exchange) {
    if (!exchange.unsent.empty()) {
      iovec part{exchange.unsent.data(), exchange.unsent.size()};
      exchange.unsent.erase(0, send_some(exchange.fd, &part, 1));
      if (!exchange.unsent.empty()) return;  // an early answer waits: this connection is not free before
    }
    char buffer[16 * 1024];
    for (;;) {
      std::size_t got = receive_some(exchange.fd, buffer, sizeof buffer);
      string_view answer(buffer, got);
      if (!exchange.input.empty()) answer = exchange.input.append(answer);
      if (on_answer(exchange, answer)) return;
      if (exchange.input.empty()) exchange.input.assign(answer);
      if (got < sizeof buffer) return;
    }
  }

  // True when the answer was whole: the job is finished and the connection free again.
  bool on_answer(Exchange& exchange, string_view answer) {
    std::size_t head = answer.find("\r\n\r\n");
    if (head == string_view::npos) return false;
    constexpr string_view kName = "\r\nContent-Length: ";
    std::size_t field = answer.substr(0, head).find(kName);
    if (field == string_view::npos) die("an answer without Content-Length");
    std::size_t length = 0;
    std::from_chars(answer.data() + field + kName.size(), answer.data() + head, length);
    string_view body = answer.substr(head + 4);
    if (body.size() < length) return false;

    body = body.substr(kBodyHead.size(), length - kBodyHead.size() - kBodyTail.size());
    append_packet(output_, kWorkComplete, exchange.handle, body);
    exchange.input.clear();
    free_.push_back(&exchange);
    --inflight_;
    grab();
    return true;
  }

  int epoll_;
  int gearmand_ = -1;
  sockaddr_in endpoint_;
  std::string request_head_;  // up to the value of Content-Length
  std::string body_head_;     // up to the value of job_handle

  std::size_t slots_, inflight_ = 0, outstanding_ = 0, burst_ = 1;
  bool dry_ = false, asleep_ = false;

  std::unique_ptr<char[]> input_;  // from gearmand; [begin_, end_) is not yet handled
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
  std::string output_;   // to gearmand; leaves once a turn of the loop
  std::string request_;  // scratch
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Exchange*> free_;  // the one used last is warm: it goes first
};

}  // namespace

int main(int argc, char** argv) {
  const option options[] = {
      {"port", required_argument, nullptr, 'p'},     {"http", required_argument, nullptr, 'h'},
      {"path", required_argument, nullptr, 'u'},     {"slots", required_argument, nullptr, 's'},
      {"function", required_argument, nullptr, 'f'}, {}};
  int port = 4730;
  std::size_t slots = 32;
  std::string http = "127.0.0.1:80", path = "/job", function = "bench";
  for (int c; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    switch (c) {
      case 'p':
        port = std::atoi(optarg);
        break;
      case 'h':
        http = optarg;
        break;
      case 'u':
        path = optarg;
        break;
      case 's':
        slots = std::strtoul(optarg, nullptr, 10);
        break;
      case 'f':
        function = optarg;
        break;
      default:
        std::fprintf(stderr,
                     "usage: floor --port GEARMAND --http IPV4:PORT --path P --slots N --function F\n");
        return 2;
    }
  }
  std::size_t colon = http.find(':');
  int http_port = colon == std::string::npos ? 80 : std::atoi(http.c_str() + colon + 1);
  Floor floor(address_of("127.0.0.1", port), address_of(http.substr(0, colon).c_str(), http_port), http, path,
              function, slots);
  floor.run();
}
