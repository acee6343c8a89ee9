// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "base/error.h"
#include "net/tls.h"

// The server side of TLS. stream.h moves the bytes.
namespace driveshaft::net {

// What connections share that show our certificate to clients. Of the settings certificate_file and key_file
// count. Blocks while it reads them. The error names the key and the file.
base::Result<TlsContext> load_tls_server(const TlsSettings& settings);

// Ours, as it is in that context; `settings` are those that it was made of.
std::optional<Certificate> certificate_in(const SSL_CTX& context, const TlsSettings& settings);

// The session of a new connection; null without memory for it. It may outlive the context.
TlsSession server_session(SSL_CTX& context);

// Tells the peer that nothing more is sent, if that needs no waiting.
void say_goodbye(SSL& session);

}  // namespace driveshaft::net
