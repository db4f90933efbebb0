package PKI::Nginx;

# An nginx of a story: configuration, life, questions.

use strict;
use warnings;

use File::Path qw(make_path);
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time sleep);

use PKI::HTTP ();
use PKI::OCSP;


# Writes a configuration and starts nginx with it.  Options:
#
#   workers, main, events, http, server, store, issuer: text that is added
#       there; events in place of "worker_connections 512;"
#   zone => '1m', news => '2s': the directives' values
#   port => number, to listen on; a free one if none
#   issuers => { name => text }: in place of the one issuer "demo" of ca.pem
#   directories => { name => [dialect, text] }: each issuer refers to all
#   locations => text: in place of /ocsp, /api/, /status ...
#   conf => text: in place of everything
#   daemon => 1: leaves its parent, as an upgrade of the binary needs it
#   env => { name => value }: of its environment, for the workers too
#   start => 0: only writes

sub new {
    my ($class, $t, %o) = @_;

    my $n = bless {
        t    => $t,
        dir  => "$t->{dir}/$o{name}",
        port => $o{port} || PKI::Test::free_port(),
        daemon => $o{daemon},
        env  => $o{env} || {},
    }, $class;

    make_path("$n->{dir}/temp");
    $n->configure(%o);
    $n->start unless exists $o{start} && !$o{start};

    return $n;
}

sub url { my ($n, $uri) = @_; return "http://127.0.0.1:$n->{port}$uri" }

sub logs {
    my ($n) = @_;
    return grep { -e } "$n->{dir}/error.log", "$n->{dir}/stderr";
}

sub log { my ($n) = @_; return PKI::Test::slurp("$n->{dir}/error.log") }


sub configure {
    my ($n, %o) = @_;

    $n->{conf} = PKI::Test::spew("$n->{dir}/nginx.conf",
                                 $o{conf} // $n->text(%o));
}

sub text {
    my ($n, %o) = @_;

    my ($dir, $t) = ($n->{dir}, $n->{t});
    my $user = $> ? '' : 'user root;';
    my $temp = join '', map { "    ${_}_temp_path $dir/temp/$_;\n" }
                        qw(client_body proxy fastcgi uwsgi scgi);

    $_ //= '' for @o{qw(main http server store issuer)};

    my $zone = exists $o{zone} ? $o{zone} : '1m';
    $zone = $zone ? "pki_zone $zone;" : '';

    my $news = $o{news} ? "pki_news_timeout $o{news};" : '';
    my $issuers = $o{issuers} || { demo => "certificate $t->{dir}/ca.pem;"
                                           . "key $t->{dir}/ca.key;" };

    my $directories = $o{directories} || {};
    my $refer = join '', map { "directory $_; " } sort keys %$directories;

    $directories = join '', map {
        "    pki_directory $_ $directories->{$_}[0] { $directories->{$_}[1] }\n"
    } sort keys %$directories;

    $issuers = join '', map { "    pki_issuer $_ { $issuers->{$_} $refer"
                              . "$o{issuer} }\n" } sort keys %$issuers;

    my $socket = ($t->{redis}{redis} || {})->{socket} || "$dir/none.sock";
    my $events = $o{events} // 'worker_connections 512;';
    my $workers = $o{workers} || 1;
    my $daemon = $n->{daemon} ? 'on' : 'off';
    my $env = join '', map { "env $_;\n" } sort keys %{ $n->{env} };

    my $locations = $o{locations} // <<"END";
        location /ocsp { pki_ocsp; }
        location /api/ { pki_api; pki_api_tokens $t->{dir}/tokens; }
        location = /status { pki_status; }
        location = /metrics { pki_status prometheus; }
        location = /probe { pki_status probe; }
END

    $t->token('nobody', 'read') unless -e "$t->{dir}/tokens";

    return <<"END";
load_module $t->{build}/ngx_http_pki_module.so;
daemon $daemon;
env ASAN_OPTIONS;
env LSAN_OPTIONS;
$env$user
worker_processes $workers;
pid $dir/nginx.pid;
error_log $dir/error.log info;
$o{main}

events { $events }

http {
    access_log off;
    keepalive_requests 1000000;
$temp
    $zone
    $news
    pki_store main { address unix:$socket; $o{store} }
$directories
$issuers
    $o{http}

    server {
        listen 127.0.0.1:$n->{port};
        location = /ping { return 204; }
$locations
        $o{server}
    }
}
END
}

sub binary {
    my ($n) = @_;

    return $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};
    return "$n->{t}{build}/nginx" if $ENV{TEST_PKI_SANITIZER};
    return -x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx';
}

sub command {
    my ($n, @args) = @_;

    return ($n->binary, '-p', "$n->{dir}/", '-c', $n->{conf}, '-e',
            "$n->{dir}/error.log", @args);
}

# "nginx -t": (exit code, what it said)

sub check { my ($n) = @_; return PKI::Test::run($n->command('-t')) }

sub start {
    my ($n, %o) = @_;

    $n->{pid} = fork // die "fork: $!\n";

    if (!$n->{pid}) {
        POSIX::setpgid(0, 0);
        $ENV{$_} = $n->{env}{$_} for keys %{ $n->{env} };
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$n->{dir}/stderr";
        open STDERR, '>&', \*STDOUT;
        exec $n->command or POSIX::_exit(127);
    }

    if ($n->{daemon}) {
        waitpid $n->{pid}, 0;
        PKI::Test::wait_until(10, sub { $n->master });
        $n->{pid} = $n->master;
    }

    $n->{group} = $n->{pid};

    return if $o{nowait};

    PKI::Test::wait_until(20, sub { $n->up })
        or die "nginx does not come up\n" . $n->log;
}

sub up {
    my ($n) = @_;

    die "nginx ended\n" . $n->log . PKI::Test::slurp("$n->{dir}/stderr")
        if waitpid($n->{pid}, WNOHANG) > 0;

    my $r = eval { $n->http('GET', '/ping') };

    return $r && $r->{status};
}

# ready to answer OCSP: the link to Redis stands

sub ready {
    my ($n) = @_;

    return PKI::Test::wait_until(10, sub {
        $n->http('GET', '/probe')->{status} == 200
    });
}

sub master {
    my ($n) = @_;

    my ($pid) = PKI::Test::slurp("$n->{dir}/nginx.pid") =~ /(\d+)/;
    return $pid;
}

sub workers {
    my ($n, $master) = @_;

    $master ||= $n->master;
    my $text = PKI::Test::slurp("/proc/$master/task/$master/children");

    return grep {
        PKI::Test::slurp("/proc/$_/cmdline") =~ /^nginx: worker process(?! is)/
    } split ' ', $text;
}

sub signal { my ($n, $signal) = @_; kill $signal, $n->master }

# reloads, and waits for the new workers

sub reload {
    my ($n) = @_;

    my %old = map { $_ => 1 } $n->workers;
    $n->signal('HUP');

    return PKI::Test::wait_until(20, sub {
        my @now = $n->workers;

        @now && !grep { $old{$_} } @now;
    });
}

sub stop {
    my ($n, $signal) = @_;

    return unless $n->{pid};

    my $pid = $n->master || $n->{pid};

    kill $signal || 'QUIT', $pid;

    my $ended = PKI::Test::wait_until(15, sub {
        waitpid($n->{pid}, WNOHANG);
        !kill 0, -$n->{group};
    });

    Test::More::ok($ended, "nginx ended and left no process");
    $n->end_now unless $ended;
    delete $n->{pid};
}

sub end_now {
    my ($n) = @_;

    my $pid = delete $n->{pid} or return;

    kill 'KILL', -$n->{group};
    waitpid $pid, 0;
}


# questions

sub http { my $n = shift; return PKI::HTTP::http($n->{port}, @_) }

# POSTs a request and takes the answer apart; the HTTP side is in {http}

sub post {
    my ($n, $der, %o) = @_;

    my $r = $n->http('POST', $o{uri} || '/ocsp', body => $der, %o,
                     headers => { 'Content-Type' => 'application/ocsp-request',
                                  %{ $o{headers} || {} } });
    return $n->_read($r);
}

sub get {
    my ($n, $der, %o) = @_;

    my $path = path_of($der);
    $path =~ s/([+\/=])/sprintf '%%%02X', ord $1/ge;

    return $n->_read($n->http('GET', ($o{uri} || '/ocsp') . "/$path", %o));
}

sub _read {
    my ($n, $r) = @_;

    my $ocsp = eval { ocsp_read($r->{body}) }
               || { status => "HTTP $r->{status}" };

    $ocsp->{http} = $r;
    return $ocsp;
}

# asks about one certificate: file or serial; options of certid() and
# ocsp_request(), get => 1

sub ask {
    my ($n, $ca, $cert, %o) = @_;

    my $serial = -e $cert ? (cert_ids($cert))[2] : $cert;
    my $der = ocsp_request([ certid($ca, $serial, %o) ], %o);

    return $o{get} ? $n->get($der, %o) : $n->post($der, %o);
}

# a REST call; {json} is the body decoded

sub api {
    my ($n, $method, $call, %o) = @_;

    my %headers = %{ $o{headers} || {} };
    my $body = $o{body};

    $headers{Authorization} = "Bearer $o{token}" if defined $o{token};
    $headers{'Content-Type'} = 'application/json' if defined $body;
    $body = JSON::PP->new->canonical->encode($body) if ref $body;

    my $r = $n->http($method, "/api/manage/$call", %o, headers => \%headers,
                     body => $body);

    $r->{json} = eval { decode_json($r->{body}) };
    return $r;
}

sub revoke {
    my ($n, $token, $cert, $reason, %o) = @_;

    my $serial = -e $cert ? (cert_ids($cert))[2] : $cert;

    return $n->api('PATCH', "revoke/$serial", token => $token,
                   body => { revocationReason => $reason, %o });
}

# the status page, decoded

sub status {
    my ($n) = @_;
    return decode_json($n->http('GET', '/status')->{body});
}


1;
