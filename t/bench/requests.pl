#!/usr/bin/perl

# usage: requests.pl DIR SERIAL TURN COLD
#
# Writes into DIR what the load clients send about the certificates of the
# issuers "p256" and "rsa", whose certificates are there: <issuer>.get, .post
# and .nonce, turn.get and cold.get with as many paths as asked for; and
# "records": the certificates, as redis-cli --pipe takes them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use PKI::OCSP;

my ($dir, $serial, $turn, $cold) = @ARGV;

my $end = time + 30 * 86400;
my $records = '';


sub spew {
    my ($name, @text) = @_;

    open my $fh, '>:raw', "$dir/$name" or die "$dir/$name: $!\n";
    print $fh @text;
    close $fh or die "$dir/$name: $!\n";
}

# SCEPman's layout ends with random octets: a number in their place

sub number {
    my ($n) = @_;
    return substr($serial, 0, 32) . sprintf '%08X', $n;
}

sub record {
    my ($issuer, $sn) = @_;

    my @command = ('SET', "pki:{$issuer}:cert:$sn",
                   '1 ' . ($end - 86400 * 60) . " $end Static bench");

    $records .= '*' . @command . "\r\n"
                . join '', map { '$' . length() . "\r\n$_\r\n" } @command;
}

sub path {
    my $path = path_of(shift);

    $path =~ s/([+\/=])/sprintf '%%%02X', ord $1/ge;
    return "/$path\n";
}

# the same request for many numbers: only the last four octets differ

sub paths {
    my ($first, $count) = @_;

    my $der = ocsp_request([ certid("$dir/p256.pem", number(0)) ]);
    my @paths;

    for my $n ($first .. $first + $count - 1) {
        record('p256', number($n));
        substr $der, -4, 4, pack('N', $n);
        push @paths, path($der);
    }

    return @paths;
}


for my $issuer (qw(p256 rsa)) {
    my $id = certid("$dir/$issuer.pem", number(0));

    record($issuer, number(0));
    spew("$issuer.get", path(ocsp_request([ $id ])));
    spew("$issuer.post", ocsp_request([ $id ]));
    spew("$issuer.nonce", ocsp_request([ $id ], nonce => 'N' x 32));
}

spew('turn.get', paths(1, $turn));
spew('cold.get', paths(1 + $turn, $cold));
spew('records', $records);
spew('serial', number(0));
