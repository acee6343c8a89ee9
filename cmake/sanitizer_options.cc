// SPDX-License-Identifier: MIT
// How sanitized programs behave, however they are started. The sanitizers' run-times call these functions.
extern "C" {
const char* __asan_default_options() { return "detect_stack_use_after_return=1:strict_string_checks=1:print_legend=0"; }
const char* __ubsan_default_options() { return "print_stacktrace=1"; }
const char* __tsan_default_options() { return "second_deadlock_stack=1"; }

// Libraries are not instrumented, so that ThreadSanitizer does not see how they order their threads. Each line below is
// one that it reports for that reason alone.
const char* __tsan_default_suppressions() {
  return
      // OpenSSL keeps what it has read of a certificate's extensions, and looks with an atomic whether it has:
      // X509_check_purpose.
      "race:ASN1_STRING_cmp\n";
}
}
