# CRLs and delta CRLs as others read them: openssl, certtool of GnuTLS, Java.
# Each refuses the revoked certificates and no other.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my @kinds = qw(ec rsa ed25519);
my %reason = (stolen => 1, replaced => 4, hold => 6, held => 6, plain => 0);
my @names = (qw(good late), sort keys %reason);

my $t = PKI::Test->new;
my %ca = map { $_ => $t->ca($_, key => $_) } @kinds;
my $token = $t->token('admin', 'manage');
my $url = 'http://pki.example/crl';
my %cert;

$t->redis;

for my $ca (@kinds) {
    $cert{$ca}{$_} = $t->cert($ca{$ca}, "$ca-$_") for @names;
    $t->record($ca, values %{ $cert{$ca} });
}

my $n = $t->nginx(issuers => { map {
    $_ => "certificate $ca{$_}; key $t->{dir}/$_.key;"
          . "crl manual valid=1h delay=100ms delta=30m;"
          . "delta_crl_url $url/$_/delta;"
} @kinds }, server => join '', map { <<"END" } @kinds);
        location /crl/$_/ { pki_crl $_; }
END

ok($n->ready, 'ready');

# fetches a list; the path of the file, undef when there is none

my $files = 0;

sub crl {
    my ($uri) = @_;

    my $r = $n->http('GET', "/crl/$uri");

    return $r->{status} == 200
           ? spew("$t->{dir}/crl" . ++$files, $r->{body}) : undef;
}

sub text_of {
    my ($file, $form) = @_;

    return run_ok('openssl', 'crl', '-inform', $form || 'DER', '-in', $file,
                  '-noout', '-text');
}

sub number_of {
    my ($file) = @_;

    my ($hex) = run_ok('openssl', 'crl', '-inform', 'DER', '-in', $file,
                       '-noout', '-crlnumber') =~ /=(?:0x)?([0-9A-F]+)/;
    return hex $hex;
}

# the names that a list has, with reasons

sub revoked {
    my ($ca, $text) = @_;

    my %serial = map { serial_of($cert{$ca}{$_}) => $_ } @names;
    my @revoked;

    while ($text =~ /Serial\ Number:\ ([0-9A-F]+)\n
                     (.*?)(?=Serial\ Number:|Signature\ Algorithm:\ \S+\n\s+
                             (?:Signature|[0-9a-f]{2}:)|\z)/xsg)
    {
        my ($serial, $rest) = ($1, $2);
        my ($reason) = $rest =~ /CRL Reason Code:\s*\n\s*(.*?)\s*\n/;

        push @revoked, "$serial{$serial}: " . ($reason // 'none');
    }

    return join ', ', sort @revoked;
}

# what "openssl verify" refuses

sub refused {
    my ($ca, @crl) = @_;

    my @refused;

    for my $name (@names) {
        my ($status, $said) = run('openssl', 'verify', '-crl_check_all',
                                  '-extended_crl', '-use_deltas', '-CAfile',
                                  $ca{$ca}, (map { -CRLfile => $_ } @crl),
                                  $cert{$ca}{$name});

        next unless $status;
        push @refused, $name
             . ($said =~ /certificate revoked/ ? '' : ": $said");
    }

    return join ' ', sort @refused;
}


# before anything is revoked

for my $ca (@kinds) {
    ok(wait_until(20, sub { crl("$ca/") && crl("$ca/delta") }),
       "$ca: there are lists");

    my $text = text_of(crl("$ca/"));

    like($text, qr/No Revoked Certificates/, 'empty');
    is(refused($ca, crl("$ca/pem"), crl("$ca/delta/pem")), '',
       'nobody is refused');
}


# revoked: in the delta, and in the next full list

my %first = map { $_ => crl("$_/pem") } @kinds;
my %number = map { $_ => number_of(crl("$_/")) } @kinds;

for my $ca (@kinds) {
    for my $name (sort keys %reason) {
        my $r = $n->revoke($token, $cert{$ca}{$name}, $reason{$name},
                           $name eq 'stolen' ? (invalidityDate =>
                                                '2026-01-02T03:04:05Z') : ());
        is($r->{status}, 200, "$ca: $name");
    }
}

my $all = join ', ', 'held: Certificate Hold', 'hold: Certificate Hold',
               'plain: none', 'replaced: Superseded',
               'stolen: Key Compromise';

for my $ca (@kinds) {
    my $text = '';

    ok(wait_until(20, sub {
        $text = text_of(crl("$ca/delta"));
        revoked($ca, $text) eq $all;
    }), "$ca: the delta has them") or diag revoked($ca, $text);

    like($text, qr/Delta CRL Indicator: critical\s+(?:0x)?[0-9A-F]+/,
         'it is one');
    like($text, qr/Invalidity Date:\s*\n\s*Jan  2 03:04:05 2026 GMT/,
         'when it was stolen');
    ok(number_of(crl("$ca/delta")) > $number{$ca}, 'numbers go on');
    is(refused($ca, $first{$ca}), '', 'by the full list alone: nobody');
    is(refused($ca, $first{$ca}, crl("$ca/delta/pem")),
       'held hold plain replaced stolen', 'with the delta: just those');
}

# a full list is made when there is none

$t->redis_cli('DEL', map { "pki:{$_}:crl" } @kinds);
ok($n->reload, 'another clerk, who finds none');

for my $ca (@kinds) {
    my $text = '';

    ok(wait_until(30, sub {
        my $file = crl("$ca/");

        $text = $file ? text_of($file) : '';
        revoked($ca, $text) eq $all;
    }), "$ca: the full list has them") or diag revoked($ca, $text);

    like($text, qr/Version 2/, 'version 2');
    like($text, qr/Authority Key Identifier/, 'whose key it is');
    like($text, qr/Freshest CRL:.*URI:\Q$url\E\/$ca\/delta/s,
         'where the delta is');
    unlike($text, qr/Delta CRL Indicator|Issuing Distribution/, 'a full one');
    ok(number_of(crl("$ca/")) > $number{$ca}, 'numbers go on');
    is(refused($ca, crl("$ca/pem"), crl("$ca/delta/pem")),
       'held hold plain replaced stolen', 'just those are refused');
}


# a release and one more, by the delta

for my $ca (@kinds) {
    is($n->revoke($token, $cert{$ca}{held}, 8)->{status}, 200,
       "$ca: released");
    is($n->revoke($token, $cert{$ca}{late}, 1)->{status}, 200, 'one more');
}

for my $ca (@kinds) {
    my $full = crl("$ca/pem");
    my $text = '';

    ok(wait_until(20, sub {
        $text = text_of(crl("$ca/delta"));
        revoked($ca, $text) eq 'held: Remove From CRL, late: Key Compromise';
    }), "$ca: what has changed") or diag revoked($ca, $text);

    is(refused($ca, $full), 'held hold plain replaced stolen',
       'by the full list: as before');
    is(refused($ca, $full, crl("$ca/delta/pem")),
       'hold late plain replaced stolen', 'with the delta: as now');
}


# openssl crl, certtool

for my $ca (@kinds) {
    for my $uri ("$ca/", "$ca/delta") {
        my $file = crl($uri);
        my (undef, $said) = run('openssl', 'crl', '-inform', 'DER', '-in',
                                $file, '-CAfile', $ca{$ca}, '-noout');

        like($said, qr/^verify OK/, "openssl crl: $uri");

        SKIP: {
            skip 'no certtool: install gnutls-bin', 2
                if (run('certtool', '--version'))[0];

            my $info = run_ok('certtool', '--crl-info', '--inder',
                              '--infile', $file);

            like($info, qr/CRL Number \(not critical\): [0-9a-f]+/,
                 "certtool: $uri");

            (undef, $said) = run('certtool', '--verify-crl',
                                 '--load-ca-certificate', $ca{$ca},
                                 '--infile', crl("$uri/pem" =~ s{//}{/}r));
            like($said, qr/Verification output: Verified\./, 'verified');
        }
    }
}


# Java

SKIP: {
    skip 'no Java compiler: install openjdk-17-jdk-headless', 3
        if (run('javac', '-version'))[0];

    run_ok('javac', '-d', $t->{dir},
           "$PKI::Test::top/t/clients/CrlCheck.java");

    for my $ca (@kinds) {
        my $said = run_ok('java', '-cp', $t->{dir}, 'CrlCheck', $ca{$ca},
                          crl("$ca/"), crl("$ca/delta"),
                          map { $cert{$ca}{$_} } @names);
        my ($full, $delta, @lines) = split /\n/, $said;
        my %said = map { $names[$_] => $lines[$_] } 0 .. $#names;

        is($full, 5, "Java: $ca, entries");
        is($delta, 2, 'of the delta');
        is($said{good}, 'good, same', 'good');
        is($said{late}, 'good, KEY_COMPROMISE', 'revoked since');
        is($said{held}, 'revoked CERTIFICATE_HOLD, REMOVE_FROM_CRL',
           'released since');
        is($said{hold}, 'revoked CERTIFICATE_HOLD, same', 'hold');
        is($said{stolen}, 'revoked KEY_COMPROMISE, same', 'stolen');
        is($said{replaced}, 'revoked SUPERSEDED, same', 'replaced');
        is($said{plain}, 'revoked UNSPECIFIED, same', 'no reason');
    }
}

$t->done;
