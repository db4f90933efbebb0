# SCEP (RFC 8894): what ScepClient and SCEPmanClient send, and that the reply
# is one that they take.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(encode_base64);

use PKI::Test;
use PKI::CSR;
use PKI::SCEP;

my $t = PKI::Test->new;
my $ca = $t->ca('ca', key => 'rsa');
my $ec = $t->ca('ec');
my $dir = $t->{dir};
my $manage = $t->token('Manager', 'manage');
my $guid = '11111111-2222-4333-8444-555555555555';

spew("$dir/challenges", "# of this month\r\nhush hush\r\n\n",
     "#no\nlast month's");
$t->redis;

my %issuers = (demo => "certificate $ca; key $dir/ca.key;",
               ec => "certificate $ec; key $dir/ec.key;");
my $profiles = <<'END';
    pki_profile computers {
        issuer demo; source Static; renew Static; subject CN=*.example.com;
        callers "SCEP challenge";
    }
    pki_profile once { issuer demo; source Jamf; }
    pki_profile ec { issuer ec; }
END
my $n = $t->nginx(issuers => \%issuers, http => $profiles,
                  locations => <<"END");
        pki_api_tokens $dir/tokens;
        location /static {
            pki_scep; pki_enroll computers;
            pki_scep_challenge_file $dir/challenges;
        }
        location /certsrv/mscep/mscep.dll {
            pki_scep; pki_enroll once;
            pki_scep_challenge_file $dir/challenges;
        }
        location /renew/ { pki_scep; pki_enroll computers; }
        location /ocsp { pki_ocsp; }
        location /api/ { pki_api; }
        location = /status { pki_status; }
        location = /probe { pki_status probe; }
END

ok($n->ready, 'ready');

my $scep = PKI::SCEP->new($t, $ca);
my @subject = (subject => [[CN => 'dc.example.com']],
               san => [[dns => 'dc.example.com'], [dns => 'EXAMPLE']]);

sub csr {
    my ($challenge, %o) = @_;

    my $attribute = !defined $challenge ? ''
        : seq(oid('1.2.840.113549.1.9.7'), tlv(0x31, tlv(0x13, $challenge)));

    return PKI::CSR->new($t, key => 'rsa', @subject, %o,
                         attributes => $attribute);
}

sub post {
    my ($message, $uri) = @_;
    return $n->http('POST', $uri // '/static', body => $message);
}

my $key = csr()->key;
my %signer = (key => $key, cert => $scep->temporary($key));

sub message {
    my ($challenge, %o) = @_;
    return $scep->message(%signer, csr => csr($challenge)->der, %o);
}

sub issued {
    my ($r, $name, %o) = @_;

    is($r->{status}, 200, "$name: 200") or diag($r->{body}), return {};
    is($r->{headers}{'content-type'}, 'application/x-pki-message', 'its type');

    my $reply = $scep->reply($r->{body}, %signer, %o);

    checked($reply, $o{id});
    is_deeply($reply->{3}, [0x13, '0'], 'pkiStatus: success') or return {};
    is($reply->{4}, undef, 'no failInfo');
    is($reply->{certs}, 1, 'one certificate');
    like((run('openssl', 'verify', '-CAfile', $ca, $reply->{cert}))[1],
         qr/: OK/, 'openssl verifies it');

    return $reply;
}

sub checked {
    my ($reply, $id) = @_;

    is($reply->{signers}, 1, 'one signer');
    ok($reply->{verified}, 'the CA, openssl says');
    is_deeply($reply->{2}, [0x13, '3'], 'messageType');
    is_deeply($reply->{7}, [0x13, $id // $PKI::SCEP::transaction],
              'the transactionID');
    is_deeply($reply->{6}, [0x04, $PKI::SCEP::nonce], 'recipientNonce');
    is(length $reply->{5}[1], 16, 'senderNonce');
    isnt($reply->{5}[1], $PKI::SCEP::nonce, 'another one');
}

sub refused {
    my ($r, $info, $name) = @_;

    is($r->{status}, 200, "$name: 200") or diag($r->{body}), return;

    my $reply = $scep->reply($r->{body});

    checked($reply);
    is_deeply($reply->{3}, [0x13, '2'], "$name: failure");
    is_deeply($reply->{4}, [0x13, $info], "failInfo $info");
    ok($reply->{empty}, 'nothing in it');
}


# what is asked first

my $r = $n->http('GET', '/static?operation=GetCACaps');

is($r->{status}, 200, 'GetCACaps');
is($r->{headers}{'content-type'}, 'text/plain', 'its type');
is_deeply([sort split /\n/, $r->{body}],
          [qw(AES POSTPKIOperation Renewal SCEPStandard SHA-256 SHA-512)],
          'what there is');

my $der = run_ok('openssl', 'x509', '-in', $ca, '-outform', 'DER');

for ('/static?operation=GetCACert&message=ignored',
     '/static/?operation=getcacert', '//static?message=x&operation=GetCACert',
     '/certsrv/mscep/mscep.dll/pkiclient.exe?operation=GetCACert',
     '/certsrv/mscep/mscep.dll/PkiClient.exe/?operation=GetCACert',
     '/renew/?operation=GetCACert')
{
    $r = $n->http('GET', $_,
                  headers => { 'Content-Type' => 'application/pkcs10' });
    is($r->{status}, 200, $_);
    is($r->{headers}{'content-type'}, 'application/x-x509-ca-cert', 'type');
    ok($r->{body} eq $der, 'the CA');
}

is($n->http('HEAD', '/static?operation=GetCACert')->{status}, 200, 'HEAD');
is($n->http('GET', '/static?operation=GetNextCACert')->{status}, 400,
   'an unknown operation');
is($n->http('GET', '/static')->{status}, 400, 'none');
is($n->http('GET', '/static/else?operation=GetCACaps')->{status}, 404,
   'another path');
is($n->http('PUT', '/static', body => 'x')->{status}, 405, 'PUT');


# a first certificate

my $first = issued(post(message('hush hush')), 'as ScepClient sends it');
my $cert = $first->{cert};
my $serial = serial_of($cert);

like(run_ok('openssl', 'x509', '-in', $cert, '-noout', '-subject', '-ext',
            'subjectAltName'), qr/CN = dc.example.com\n.*EXAMPLE/s,
     'what was asked for');
is($n->ask($ca, $cert)->{cert}, 'good', 'OCSP: good');
$r = $n->api('GET', "certificates/$serial", token => $manage);
is($r->{json}{requester}, 'SCEP challenge', 'on record: by whom');
is($r->{json}{source}, 'Static', 'and how');
$r = $n->api('GET', 'search?searchText=dc.example.com',
             token => $manage);
is($r->{json}{items}[0]{serialNumber}, $serial, 'found by a search');
is($r->{json}{items}[0]{source}, 'Static', 'with its source');

issued(post(message("last month's", digest => 'sha256', id => '1'),
            '/static/pkiclient.exe?operation=PKIOperation'), 'Windows',
       id => '1');
issued(post(message('hush hush', digest => 'sha1', cipher => 'des3')),
       '.NET Framework');
issued(post(message('hush hush', digest => 'sha512', cipher => 'aes128'),
            '/certsrv/mscep/mscep.dll//pkiclient.exe'), 'a double slash');

my $base64 = encode_base64(message('hush hush'), '');
my $get = '?operation=PKIOperation&message=';

issued($n->http('GET', "/static$get"
                . $base64 =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger), 'GET');
issued($n->http('GET', "/static/pkiclient.exe$get$base64"),
       'GET without escapes');
issued($n->http('GET', "/static$get"
                . $base64 =~ s/=//gr =~ s/(.{64})/$1%0A/gr =~ s/\+/%20/gr),
       'GET, pluses and padding lost');


# what is refused with a reply

for ('hush', 'hush hush ', 'HUSH HUSH', '# of this month', '#no', undef) {
    refused(post(message($_)), 2, 'challenge ' . ($_ // 'missing'));
}

my $elsewhere = csr('hush hush', subject => [[CN => 'elsewhere']]);
my $another = csr('hush hush', key => 'rsa4096');

refused(post(message('', csr => $elsewhere->der)), 2,
        'a subject that the profile does not allow');
refused(post(message('hush hush', spoil => 1)), 1, 'a wrong signature');
refused(post(message('hush hush', to => $t->ca('another', key => 'rsa'))), 1,
        'for another CA');
refused(post(message('', csr => 'nonsense')), 1, 'no request');
refused(post(message('', csr => $another->der)), 1,
        'signed with another key');
refused(post(message('hush hush', type => '20')), 2, 'CertPoll');
refused(post(message('hush hush'), '/renew/'), 2,
        'no challenge where there is none');
refused(post(message('hush hush', type => '17')), 4,
        'a renewal with a temporary certificate');


# what is no message

for ('', 'nonsense', substr(message('hush hush'), 0, 1000), csr('x')->der,
     'x' x 140_000)
{
    my $want = length > 128 * 1024 ? 413 : 400;

    is(post($_)->{status}, $want, length($_) . " octets: $want");
}

is($n->http('GET', "/static?operation=PKIOperation$_")->{status}, 400,
   "GET '$_'") for '', '&message=', '&message=%%%', '&message=MIIB';
unlike($n->log, qr/hush|last month's/, 'no challenge in the log');
like($n->log, qr/pki scep: not a message: the message is not a SignedData/,
     'why, in the log');


# renewal: by the old certificate alone

my $new = csr(undef, key => 'rsa4096', subject => [[CN => 'x']],
              san => [[dns => 'x']]);
my %old = (key => $key, cert => $cert);
my $renewed = issued(post($scep->message(%old, type => '17',
                                         csr => $new->der), '/renew/'),
                     'renewed', %old)->{cert};

sub names {
    return run_ok('openssl', 'x509', '-in', shift, '-noout', '-subject', '-ext',
                  'subjectAltName,extendedKeyUsage,keyUsage');
}

is(names($renewed), names($cert), 'subject, names and usages stay');
is(run_ok('openssl', 'x509', '-in', $renewed, '-noout', '-pubkey'),
   run_ok('openssl', 'pkey', '-in', $new->key, '-pubout'), 'with a new key');
is($n->ask($ca, $renewed)->{cert}, 'good', 'OCSP: good');
$r = $n->api('GET', 'certificates/' . serial_of($renewed), token => $manage);
is($r->{json}{requester}, "certificate $serial", 'on record: which');

issued(post($scep->message(%old, type => '17', csr => csr()->der)),
       'ScepClient renews with the same key', %old);

my $leaf = $t->key('signer', 'rsa');
my $unknown = $t->cert($ca, 'unknown', key => 'signer');
my $device = $t->cert($ca, 'device', key => 'signer', kind => 'Device',
                      guid => $guid);
my $foreign = $t->cert($ec, 'foreign', key => 'signer');

$t->record('demo', $device);
$t->record('ec', $foreign);

for ([$unknown, 'one that is not on record'], [$device, 'another kind'],
     [$foreign, "another CA's"])
{
    refused(post($scep->message(key => $leaf, cert => $_->[0], type => '17',
                                csr => csr()->der)), 4, "renewal: $_->[1]");
}

refused(post($scep->message(%old, type => '17', csr => csr()->der),
             '/certsrv/mscep/mscep.dll'), 4, 'where none are renewed');
is($n->revoke($manage, $cert, 1)->{status}, 200, 'revoked');
refused(post($scep->message(%old, type => '17', csr => csr()->der)), 4,
        'renewal of it');


# who comes when too many wait is told so, before anything is decrypted

my $narrow = $t->nginx(name => 'narrow', issuers => \%issuers,
                       http => "$profiles pki_signatures 1;",
                       locations => <<"END");
        location /static {
            pki_scep; pki_enroll computers;
            pki_scep_challenge_file $dir/challenges;
        }
        location = /probe { pki_status probe; }
        location = /status { pki_status; }
END

ok($narrow->ready, 'ready');

my $message = message('hush hush');
my @sockets = map { http_connect($narrow->{port}) } 1 .. 40;

http_send($_, "POST /static HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
              . 'Content-Length: ' . length($message) . "\r\n\r\n$message")
    for @sockets;

my @replies = map { http_read($_, 'POST') } @sockets;
my @busy = grep { $_->{status} == 429 } @replies;
my @done = grep { $_->{status} == 200 } @replies;

is(@busy + @done, 40, 'each is served or told to come again');
ok(@busy > 0, scalar(@busy) . ' come again');
is($busy[0]{headers}{'retry-after'}, 1, 'soon');
issued($_, 'among many') for @done;
is($narrow->status->{enrolment}{issued}, scalar @done, 'no more are issued');


# without Redis

my $status = $n->status->{enrolment};

ok($status->{issued} == 9 && $status->{refused} > 15, 'all are counted')
    or diag(join ' ', %$status);

$t->redis_stop('redis');
is(post(message('hush hush'))->{status}, 503, 'without Redis: 503');


# mistakes

$t->allow(qr/\[emerg\]/);
spew("$dir/long", 'x' x 256, "\n");
spew("$dir/none", "# nothing\n\n");

my $mistakes = 0;

sub mistake {
    my ($location, $like, $name) = @_;

    my $bad = $t->nginx(name => 'bad' . ++$mistakes, start => 0,
                        issuers => \%issuers, http => $profiles,
                        locations => "location /s { $location }");
    my ($rc, $text) = $bad->check;

    ok($rc != 0, "$name: refused");
    like($text, $like, 'with a sentence');
    unlike($text, qr/xxx/, 'without a secret');
}

mistake('pki_scep;', qr/"pki_scep" needs "pki_enroll" in/, 'no profile');
mistake('pki_scep; pki_enroll ec;', qr/needs an RSA key, which issuer "ec"/,
        'an EC key');
mistake('pki_scep; pki_enroll once ec;', qr/profiles of one issuer, but "ec"/,
        'two issuers');
mistake('pki_scep; pki_est; pki_enroll once;', qr/something else/, 'both');
mistake('pki_scep x;', qr/number of arguments/, 'an argument');
mistake("pki_scep; pki_enroll once; pki_scep_challenge_file $dir/$_->[0];",
        $_->[1], "challenges: $_->[0]")
    for ['long', qr/more than 255 octets in ".*long", line 1/],
        ['none', qr/no challenges in ".*none"/],
        ['nowhere', qr/nowhere" failed/],
        ["challenges; pki_scep_challenge_file $dir/challenges",
         qr/is duplicate/];

$t->done;
