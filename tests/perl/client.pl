#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A client made of Gearman::Client: client.pl HOST PORT FUNCTION WORKLOAD EXCEPTIONS; runs one foreground job and prints one
# line of JSON: {"told": [[name, text] …]}, of the callbacks in the order in which they were called. EXCEPTIONS: 1 asks for
# them, 0 does not.
use strict;
use warnings;
use Gearman::Client;
use Gearman::Task;
use JSON::PP;

my ($host, $port, $function, $workload, $exceptions) = @ARGV;
my @told;
my $note = sub {
    my ($name, $text) = @_;
    return sub { push @told, [$name, $text->(@_)] };
};
my $client = Gearman::Client->new(job_servers => ["$host:$port"], exceptions => $exceptions);
my $tasks = $client->new_task_set;
$tasks->add_task($function, $workload, {
    on_complete  => $note->('complete',  sub { ${ $_[0] } }),
    on_exception => $note->('exception', sub { $_[0] }),
    on_fail      => $note->('fail',      sub { '' }),
    on_status    => $note->('status',    sub { "$_[0]/$_[1]" }),
    on_data      => $note->('data',      sub { ${ $_[0] } }),
    on_warning   => $note->('warning',   sub { ${ $_[0] } }),
});
$tasks->wait(timeout => 60);
print encode_json({ told => \@told }), "\n";
