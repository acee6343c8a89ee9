// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "base/error.h"
#include "net/tls.h"

// The server side of TLS. stream.h moves the bytes.
namespace driveshaft::net {

// The context of connections whose server we are. It uses certificate_file and key_file of the settings.
// Blocks while it reads them. The error names the key and the file.
base::Result<TlsContext> load_tls_server(const TlsSettings& settings);

// Our certificate in that context; `settings` are those that the context was made from.
std::optional<Certificate> certificate_in(const SSL_CTX& context, const TlsSettings& settings);

// The session of a new connection; null without memory for it. It may outlive the context.
TlsSession server_session(SSL_CTX& context);

// Sends close_notify: the peer knows that nothing more follows. Does nothing if that would have to wait.
void send_close_notify(SSL& session);

}  // namespace driveshaft::net
