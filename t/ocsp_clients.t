# Clients that people use agree with the answers: openssl, ocsptool of
# GnuTLS, Java, curl.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca', from => '20250101000000Z', to => '20491231235959Z');
my %cert = map { $_ => $t->cert($ca, $_) } qw(good revoked hold);
my $unknown = $t->cert($ca, 'unknown');
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record('demo', values %cert);

my @responders = ('auto', 'auto key=rsa2048', 'ca');
my %n = map { $_ => $t->nginx(issuer => "responder $_;") } @responders;

ok($n{$_}->ready, 'ready') for @responders;
is($n{auto}->revoke($token, $cert{revoked}, 1)->{status}, 200, 'revoked');
is($n{auto}->revoke($token, $cert{hold}, 6)->{status}, 200, 'on hold');


# openssl

for my $how (@responders) {
    my $n = $n{$how};

    for my $hash (qw(sha1 sha256 sha384 sha512)) {
        for my $nonce ('-nonce', '-no_nonce') {

            # a digest counts for the certificates behind it
            my ($status, $text) = run('openssl', 'ocsp', "-$hash", '-issuer',
                                      $ca, '-CAfile', $ca, '-url',
                                      $n->url('/ocsp'), $nonce,
                                      map { -cert => $_ } $cert{good},
                                      $cert{revoked});

            is($status, 0, "openssl: $how, $hash, $nonce");
            like($text, qr/^Response verify OK/m, 'verified');
            like($text, qr/good\.pem: good.*revoked\.pem: revoked/s,
                 'two certificates at once');
            unlike($text, qr/WARNING/, 'no warning') if $nonce eq '-nonce';
        }
    }

    my ($status, $text) = $t->openssl_ocsp($n, $ca, '-cert', $cert{hold},
                                           '-text');

    like($text, qr/hold\.pem: revoked.*Reason: certificateHold/s,
         "openssl: $how, hold");

    ($status, $text) = $t->openssl_ocsp($n, $ca, '-cert', $unknown);
    like($text, qr/unknown\.pem: unknown/, "openssl: $how, unknown");
}

# what scripts take: no -CAfile, and the word in the output

my (undef, $text) = run('openssl', 'ocsp', '-issuer', $ca, '-cert',
                        $cert{good}, '-url', $n{auto}->url('/ocsp'));
like($text, qr/good\.pem: good/, 'openssl without -CAfile');


# ocsptool

SKIP: {
    skip 'no ocsptool: install gnutls-bin', 3 if (run('ocsptool', '-v'))[0];

    for my $how (@responders) {
        for my $nonce ('--nonce', '--no-nonce') {
            my @ask = ('ocsptool', '--ask', $n{$how}->url('/ocsp'), $nonce,
                       '--load-issuer', $ca, '--load-trust', $ca);

            my (undef, $good) = run(@ask, '--load-cert', $cert{good});

            like($good, qr/Certificate Status: good/,
                 "ocsptool: $how, $nonce");
            like($good, qr/Verifying OCSP Response: Success/, 'verified');

            my (undef, $bad) = run(@ask, '--load-cert', $cert{revoked});

            like($bad, qr/Certificate Status: revoked/, 'revoked');
        }
    }
}


# Java

SKIP: {
    skip 'no Java compiler: install openjdk-17-jdk-headless', 3
        if (run('javac', '-version'))[0];

    run_ok('javac', '-d', $t->{dir},
           "$PKI::Test::top/t/clients/OcspCheck.java");

    for my $how (@responders) {
        my (undef, $said) = run('java', '-cp', $t->{dir}, 'OcspCheck', $ca,
                                $n{$how}->url('/ocsp'), $cert{good},
                                $cert{revoked}, $cert{hold}, $unknown);
        my @lines = split /\n/, $said;

        is($lines[0], 'good', "Java: $how, good");
        is($lines[1], 'revoked KEY_COMPROMISE', 'revoked');
        is($lines[2], 'revoked CERTIFICATE_HOLD', 'hold');
        like($lines[3], qr/^UNDETERMINED/, 'unknown');
    }
}


# curl, by GET

for my $how (@responders) {
    my $path = path_of(ocsp_request([ certid($ca, serial_of($cert{good})) ]));
    my $file = "$t->{dir}/answer";

    run_ok('curl', '-fsS', '-o', $file, $n{$how}->url("/ocsp/$path"));

    my ($status, $said) = run('openssl', 'ocsp', '-respin', $file, '-issuer',
                              $ca, '-CAfile', $ca, '-cert', $cert{good});

    like($said, qr/Response verify OK\n.*good\.pem: good/,
         "curl: $how, GET");
}

$t->done;
