# How requests to a directory travel: by TLS with an authority of one's own,
# by HTTP/2, compressed, through a proxy, with a certificate for a secret, and
# over few connections.  And where secrets do not go on the way.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw(decode_base64url);
use PKI::Test;
use PKI::Directory;

my $n_devices = 300;
my $client = '11111111-2222-4333-8444-555555555555';
my $tenant = '0a1b2c3d-1111-4222-8333-444455556666';
my $owner = $$;
my @proxies;

END {
    if ($$ == $owner) {
        kill 'TERM', @proxies;
    }
}

my $t = PKI::Test->new;

# A proxy that opens tunnels, or refuses them with a status; each request goes
# to a file, and each connection has a process, which ends with the test.

sub proxy {
    my ($file, $status) = @_;

    my $listen = IO::Socket::INET->new(Listen => 64, ReuseAddr => 1,
                                       LocalAddr => '127.0.0.1')
                 or die "no port: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        push @proxies, $pid;
        return $listen->sockport;
    }

    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = $SIG{PIPE} = 'DEFAULT';

    while (getppid == $owner) {
        next unless IO::Select->new($listen)->can_read(0.5);

        my $from = $listen->accept or next;

        next if fork;
        tunnel($from, $file, $status);
        POSIX::_exit(0);
    }

    POSIX::_exit(0);
}

sub tunnel {
    my ($from, $file, $status) = @_;

    my $head = '';

    until ($head =~ /\r\n\r\n/) {
        sysread $from, $head, 4096, length $head or return;
    }

    open my $fh, '>>', $file or return;
    syswrite $fh, $head;

    if ($status) {
        syswrite $from, "HTTP/1.1 $status No\r\nContent-Length: 0\r\n\r\n";
        return;
    }

    my ($host) = $head =~ /^CONNECT (127\.0\.0\.1:\d+) HTTP/ or return;
    my $to = IO::Socket::INET->new(PeerAddr => $host) or return;
    my $both = IO::Select->new($from, $to);

    syswrite $from, "HTTP/1.1 200 OK\r\n\r\n";

    while (getppid != 1) {
        for my $in ($both->can_read(0.5)) {
            my $out = $in == $from ? $to : $from;

            sysread $in, my $octets, 65536 or return;
            print $out $octets;
            $out->flush;
        }
    }
}

# a simulator behind TLS, and an nginx before it that speaks HTTP/2

my $web = $t->ca('web');
my $peer = $t->cert($web, 'peer', ext => "subjectAltName=IP:127.0.0.1\n",
                    key => 'peer');

$t->key($_, 'rsa') for qw(client stranger);

my %client = map { $_ => $t->cert($web, $_, key => $_) } qw(client stranger);
my $g = PKI::Sim->new('graph', dir => $t->{dir},
    listen => ['https://127.0.0.1:0', 'http://127.0.0.1:0'],
    tls => [$peer, "$t->{dir}/peer.key"],
    options => { gzip => PKI::Sim::true,
                 client_certificates => [slurp($client{client})] });
my ($h1, $h2) = (free_port(), free_port());
my $front = $t->nginx(port => $h1, conf => <<"END");
daemon off;
worker_processes 1;
pid $t->{dir}/nginx0/nginx.pid;

events { worker_connections 64; }

http {
    log_format how '\$connection \$server_protocol \$body_bytes_sent '
                   '"\$sent_http_content_encoding" \$request_uri';
    access_log $t->{dir}/front.log how;
    proxy_temp_path $t->{dir}/temp;
    client_body_temp_path $t->{dir}/temp;
    fastcgi_temp_path $t->{dir}/temp;
    uwsgi_temp_path $t->{dir}/temp;
    scgi_temp_path $t->{dir}/temp;
    proxy_set_header Host \$http_host;
    proxy_http_version 1.1;

    server {
        listen 127.0.0.1:$h1;
        access_log off;
        location = /ping { return 204; }
    }

    server {
        listen 127.0.0.1:$h2 ssl http2;
        ssl_certificate $peer;
        ssl_certificate_key $t->{dir}/peer.key;
        location / { proxy_pass https://127.0.0.1:@{[ $g->port ]}; }
    }
}
END

# a directory of each kind; an issuer asks all four

my $d = bless { t => $t, ca => $t->ca('ca'), n => 0, sim => { graph => $g } },
        'PKI::Directory';

$t->redis;
$d->{token} = $t->token('stories', 'manage');
spew("$t->{dir}/secret", "$PKI::Directory::secret\n");

my $secret = "client_secret_file $t->{dir}/secret;";

sub directory {
    my ($url, $login, $text) = @_;

    my $plain = $url =~ /^http:/ ? 'plain_http on;' : '';

    return ['entra', "url $url; client $client; $login $plain"
            . "token_url $url/$tenant/oauth2/v2.0/token;"
            . 'scope https://graph.microsoft.com/.default;'
            . "resources devices; ca_file $web; page 100;"
            . $PKI::Directory::quick . ($text // '')];
}

my $certificate = "client_certificate $client{client};"
                  . "client_key $t->{dir}/client.key;";
my $proxy = proxy("$t->{dir}/proxy.log");
my %directories = (
    tls   => directory($g->url, $secret),
    http2 => directory("https://127.0.0.1:$h2", $secret),
    proxy => directory($g->url, $secret, "proxy http://127.0.0.1:$proxy;"),
    cert  => directory($g->url, $certificate),
);

$g->bulk('device', $n_devices);

my $device = $g->add('device');
my $cert = $d->cert('device', Device => $device->{deviceId});

# nothing of the environment counts

my $nobody = free_port();
my $n = $d->{nginx} = $t->nginx(
    workers => 2, directories => \%directories,
    issuer => 'unknown serial; devices all;',
    main => "error_log $t->{dir}/debug.log debug;",
    env => { (map { $_ => "http://127.0.0.1:$nobody" }
              qw(https_proxy ALL_PROXY all_proxy HTTPS_PROXY)),
             (map { $_ => "$t->{dir}/ca.pem" }
              qw(CURL_CA_BUNDLE SSL_CERT_FILE)) });

$d->becomes($cert, 'good', 'listed by all four');

my $begun = $g->log;

$g->change('device', $device->{id}, accountEnabled => PKI::Sim::false);
$d->becomes($cert, 'hold', 'disabled');

for (sort keys %directories) {
    ok($d->round($_, 'devices'), "$_: goes on");
    is($d->resource($_, 'devices')->{known}, $n_devices + 1, "$_: lists all");
}

$g->change('device', $device->{id}, accountEnabled => PKI::Sim::true);
$d->becomes($cert, 'good', 'enabled: by all four');

# TLS, and connections that are kept

my @log = $g->log;
my @api = grep { $_->{target} =~ m{^/v1\.0/} } @log[$begun .. $#log];
my (%by, %connections);

is(scalar(grep { $_->{scheme} ne 'https' } @log), 0, 'all by TLS');

for (@api) {
    my $token = $_->{headers}{authorization};

    push @{ $by{$token} }, $_;
    $connections{$token}{ $_->{connection} } = 1;
}

is(scalar keys %by, 4, 'a token for each');

my @kept = sort { $a <=> $b } map { scalar keys %{ $connections{$_} } }
           keys %by;

cmp_ok(scalar @$_, '>=', 5, 'there were requests') for values %by;
cmp_ok($kept[2], '<=', 2, 'one connection for all, or two');

# HTTP/2, compressed

my @front = map { [split] } split /\n/, slurp("$t->{dir}/front.log");
my @list = grep { $_->[4] =~ /\$top=100/ } @front;
my %front = map { $_->[0] => 1 } @front;

is(scalar(grep { $_->[1] ne 'HTTP/2.0' } @front), 0, 'HTTP/2');
cmp_ok(scalar @front, '>=', 8, 'HTTP/2: there were requests');
cmp_ok(scalar keys %front, '<=', 2, 'HTTP/2: over one connection, or two');
is(scalar(grep { $_->[3] ne '"gzip"' } @front), 0, 'compressed');
ok(@list >= 3, 'pages of a listing');
cmp_ok($_->[2], '<', 12000, 'a page of a hundred is small') for @list;
is(scalar(grep { ($_->{headers}{'accept-encoding'} // '') !~ /\bgzip\b/ }
          @log), 0, 'all were asked for like that');

# the proxy: tunnels, and nothing of ours in their requests

my $tunnels = slurp("$t->{dir}/proxy.log");
my @tunnels = $tunnels =~ /^(CONNECT .*?)\r?$/mg;

cmp_ok(scalar @tunnels, '>=', 1, 'a tunnel');
cmp_ok(scalar @tunnels, '<=', 4, 'and not for each request');
is(scalar(grep { $_ ne 'CONNECT 127.0.0.1:' . $g->port . ' HTTP/1.1' }
          @tunnels), 0, 'to the directory alone');
unlike($tunnels, qr/Authorization|Bearer|eyJ|v1\.0/i,
       'the proxy sees neither token nor path');

# a certificate: an assertion, signed by PS256, and no secret

my @logins = grep { $_->{target} =~ /oauth2/ } @log;
my @assertions = map { $_->{body} =~ /client_assertion=([^&]+)/ ? $1 : () }
                 @logins;

is(scalar @logins, 4, 'a login for each');
is(scalar @assertions, 1, 'one of them by certificate');

my ($assertion) = @assertions;
my ($head, $claims) = map { JSON::PP::decode_json(decode_base64url($_)) }
                      (split /\./, $assertion)[0, 1];

is($head->{alg}, 'PS256', 'the algorithm');
like($head->{'x5t#S256'} // '', qr/^[\w-]{43}$/, 'which certificate');
is($claims->{aud}, $g->url("/$tenant/oauth2/v2.0/token"), 'for whom');
unlike((grep { $_->{body} =~ /client_assertion=/ } @logins)[0]{body},
       qr/client_secret/, 'no secret besides');

# what is refused: a certificate that nobody knows, proxies that are closed or
# not there.  A line each.

my %refused = (
    stranger => [directory($g->url, "client_certificate $client{stranger};"
                           . "client_key $t->{dir}/stranger.key;"),
                 qr/AADSTS700027: the certificate is not the client's/],
    closed => [directory($g->url, $secret, 'proxy http://127.0.0.1:'
                         . proxy("$t->{dir}/closed.log", 407) . ';'),
               qr/no reply from the token endpoint: .*\b407\b/],
    nobody => [directory($g->url, $secret,
                         "proxy http://127.0.0.1:$nobody;"),
               qr/no reply from the token endpoint: .*Failed to connect/],
);

# and what goes past a proxy: plain HTTP, which is of this host

my $plain = directory($g->url('', 1), $secret,
                      "proxy http://127.0.0.1:$nobody;");

for my $what (values %refused) {
    $what->[0][1] =~ s/backoff 1s/backoff 100ms/;
}

my $e = $t->nginx(issuer => 'unknown serial; devices all;', directories => {
    plain => $plain, map { $_ => $refused{$_}[0] } keys %refused });

ok(wait_until(15, sub {
       my $all = $d->directories(nginx => $e);

       !grep { ($all->{$_}{resources}[0]{failures} // 0) < 3 } keys %refused;
   }), 'refused, again and again')
    or diag(explain($d->directories(nginx => $e)));

for my $name (sort keys %refused) {
    my @lines = grep { /\[error\].*directory "$name": / } split /\n/, $e->log;

    is(scalar @lines, 1, "$name: one line") or diag(join "\n", @lines);
    like($lines[0] // '', $refused{$name}[1], "$name: says why");
}

my ($resource) = @{ $d->directories(nginx => $e)->{plain}{resources} };

cmp_ok($resource->{rounds}, '>=', 1, 'plain HTTP goes past the proxy');
isnt($d->status($cert, nginx => $e), 'good',
     'nobody is good who is not known to all');

# all that Redis holds; its links have been used by the next round

my ($redis, $sync) = ('', '');

for my $name (split /\n/, $t->redis_cli('--scan')) {
    # the records of objects are many, and all alike
    next if $name =~ /:object:/ && $name !~ /$device->{deviceId}/;

    my $type = $t->redis_cli('TYPE', $name);
    my @get = { string => ['GET', $name], hash => ['HGETALL', $name],
                set => ['SMEMBERS', $name], list => ['LRANGE', $name, 0, -1],
                zset => ['ZRANGE', $name, 0, -1],
                stream => ['XRANGE', $name, '-', '+'] }->{$type};

    my $text = $t->redis_cli(@{ $get[0] });

    if ($name =~ /^pki:\{\w+\}:sync$/) {
        $sync .= $text;

    } else {
        $redis .= "$name $text\n";
    }
}

$d->round($_, 'devices') for sort keys %directories;

# secrets

@log = $g->log;

my %tokens = map { /^Bearer (\S+)/ ? ($1 => 1) : () }
             map { $_->{headers}{authorization} // '' } @log;
my %links = map { $_->{target} =~ /deltatoken=([^&]+)/ ? ($1 => 1) : () }
            @log;
my ($key) = slurp("$t->{dir}/client.key") =~ /\n(\S+)\n/;
my %secrets = (
    secret    => [$PKI::Directory::secret, $logins[0]{body} =~
                  /client_secret=([^&]+)/ ? $1 : ()],
    tokens    => [keys %tokens],
    assertion => [$assertion, (split /\./, $assertion)[2]],
    key       => [$key],
    links     => [grep { $_ ne 'latest' } keys %links],
);

$secrets{secret}[1] //= $PKI::Directory::secret;
cmp_ok(scalar @{ $secrets{$_} }, '>=', 1, "there are $_")
    for sort keys %secrets;

sub keeps {
    my ($what, $text, @but) = @_;

    my @told = grep {
        my $kind = $_;

        !(grep { $_ eq $kind } @but)
        && grep { index($text, $_) >= 0 } @{ $secrets{$kind} };
    } sort keys %secrets;

    cmp_ok(length $text, '>', 0, "$what: there is something");
    is("@told", '', "$what: nothing of it");
}

my $metrics = join '', map { $n->http('GET', $_)->{body} }
              qw(/status /metrics /probe);
my $told = join '', map { $_->http('GET', '/api/directories', headers => {
               Authorization => "Bearer $d->{token}" })->{body} } $n, $e;

keeps('the log', $n->log . $e->log);
keeps('the log for debugging', slurp("$t->{dir}/debug.log"));
keeps('nginx -T', (run($n->command('-T')))[1]);
keeps('Redis', $redis);
keeps('Redis, of a round', $sync, 'links');
keeps('GET directories', $told);
keeps('status', $metrics);

for ($n->master, $n->workers) {
    keeps('the command line of a process', slurp("/proc/$_/cmdline"));
    keeps('its environment', slurp("/proc/$_/environ") . '.');
}

ok((grep { index($sync, $_) >= 0 } @{ $secrets{links} }),
   'Redis, of a round: the link');

$t->done;
