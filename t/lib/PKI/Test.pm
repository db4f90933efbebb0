package PKI::Test;

# The ground a story stands on: a directory of its own, CAs, certificates, a
# Redis from conf/redis.conf.  PKI::Nginx adds the servers.  done() ends
# everything and fails the story for an alert in any log, a finding of a
# sanitizer, or a process that does not end.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(time sleep);

use PKI::DER;
use PKI::HTTP;
use PKI::Nginx;
use PKI::OCSP;

our @EXPORT = (@Test::More::EXPORT, @PKI::HTTP::EXPORT, @PKI::OCSP::EXPORT,
               @PKI::DER::EXPORT,
               qw(free_port run run_ok wait_until slurp spew serial_of time
                  sleep));

our $top = abs_path(dirname(__FILE__) . '/../../..');

my $limit = 600;            # seconds that a story may take
my $owner = $$;
my $env;


sub new {
    my ($class, %o) = @_;

    # "asan" or "tsan": an nginx and a module with that sanitizer
    my $sanitizer = $ENV{TEST_PKI_SANITIZER};
    my $build = "$top/.build" . ($sanitizer ? "/$sanitizer" : '');

    for ("$build/ngx_http_pki_module.so", "$top/.build/pki-admin") {
        BAIL_OUT("$_ is not there: run scripts/build") unless -e $_;
    }

    # nginx and each module of it have a table of the same name
    $ENV{ASAN_OPTIONS} = join ':', grep { defined } $ENV{ASAN_OPTIONS},
                         'detect_odr_violation=0';
    $ENV{LSAN_OPTIONS} =
        "suppressions=$top/t/lib/lsan.supp:print_suppressions=0";

    $env = bless {
        dir    => tempdir('pki-XXXXXX', TMPDIR => 1),
        build  => $build,
        admin  => "$top/.build/pki-admin",
        allow  => [],
        nginx  => [],
        redis  => {},
    }, $class;

    $SIG{ALRM} = sub { BAIL_OUT("no end after $limit seconds") };
    $SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
    alarm($o{limit} || $limit);

    return $env;
}

# lines like this in a log are what the story is about

sub allow { my ($t, @regex) = @_; push @{ $t->{allow} }, @regex }

sub done {
    my ($t) = @_;

    $_->stop for @{ $t->{nginx} };
    $t->redis_stop($_) for keys %{ $t->{redis} };

    for my $n (@{ $t->{nginx} }) {
        for my $log ($n->logs) {
            my @bad = grep { $t->_bad($_) } split /\n/, slurp($log);

            is(scalar @bad, 0, "nothing alarming in $log")
                or diag(join "\n", @bad > 20 ? @bad[0 .. 19] : @bad);
        }
    }

    if (Test::More->builder->is_passing && !$ENV{TEST_PKI_KEEP}) {
        remove_tree($t->{dir});

    } else {
        diag("see $t->{dir}");
    }

    undef $env;
    done_testing();
}

sub _bad {
    my ($t, $line) = @_;

    return 0 unless $line =~ /\[(alert|emerg|crit)\]
                              |Sanitizer|runtime\ error:/x;

    # that the search for leaks itself has crashed, as it does in one of some
    # hundred processes, is no finding
    return 0 if $line =~ /LeakSanitizer\ (?:has\ encountered\ a\ fatal\ error
                                          |does\ not\ work\ under)/x;

    return !grep { $line =~ $_ } @{ $t->{allow} };
}

# when a story dies, what it started dies with it

END {
    if ($env && $$ == $owner) {
        my $status = $?;

        $_->end_now for @{ $env->{nginx} };
        $env->redis_stop($_) for keys %{ $env->{redis} };
        $? = $status;
    }
}


# helpers

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;
    return <$fh> // '';
}

sub spew {
    my ($file, @text) = @_;

    make_path(dirname($file));
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh @text;
    close $fh or die "$file: $!\n";

    return $file;
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
                                  ReuseAddr => 1) or die "no port: $!\n";
    return $s->sockport;
}

# (status, output of both kinds); a command that hangs is ended

sub run {
    my (@command) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec('timeout', '-k', '5', '60', @command) or POSIX::_exit(127);
    }

    my $text = do { local $/; <$out> } // '';
    close $out;

    return ($? >> 8 || $? & 127, $text);
}

sub run_ok {
    my ($status, $text) = run(@_);

    die "@_: exit code $status\n$text" if $status;

    return $text;
}

sub wait_until {
    my ($seconds, $code) = @_;

    my $end = time + $seconds;

    until ($code->()) {
        return 0 if time > $end;
        sleep 0.02;
    }

    return 1;
}

sub serial_of { return (cert_ids(shift))[2] }


# certificates: files in the story's directory; each returns the path

my %keys = (
    ec      => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    p384    => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)],
    rsa     => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    ed25519 => [qw(-algorithm ED25519)],
);

sub key {
    my ($t, $name, $type) = @_;

    my $file = "$t->{dir}/$name.key";

    run_ok('openssl', 'genpkey', @{ $keys{ $type || 'ec' } }, '-out', $file)
        unless -e $file;

    return $file;
}

# key => type, reuse => name of another CA's key, subject; days from now, or
# from and to as YYYYMMDDHHMMSSZ

sub ca {
    my ($t, $name, %o) = @_;

    my $file = "$t->{dir}/$name.pem";
    my $key = $o{reuse} ? "$t->{dir}/$o{reuse}.key"
                        : $t->key($name, $o{key});
    my @req = ('openssl', 'req', '-new', '-key', $key, '-subj',
               $o{subject} || "/CN=$name", '-out');

    if ($o{from}) {
        my $conf = spew("$t->{dir}/$name.cnf", <<"END");
[ca]
default_ca = a
[a]
database = $t->{dir}/$name.db
new_certs_dir = $t->{dir}
rand_serial = yes
default_md = sha256
policy = p
x509_extensions = e
[p]
commonName = supplied
[e]
basicConstraints = critical,CA:TRUE
END
        spew("$t->{dir}/$name.db");
        run_ok(@req, "$file.csr");
        run_ok('openssl', 'ca', '-config', $conf, '-selfsign', '-batch',
               '-notext', '-in', "$file.csr", '-keyfile', $key, '-startdate',
               $o{from}, '-enddate', $o{to}, '-out', $file);

    } else {
        run_ok(@req, $file, '-x509', '-days', $o{days} || 3650, '-addext',
               'basicConstraints=critical,CA:TRUE');
    }

    symlink($key, "$t->{dir}/$name.key") if $o{reuse};

    return $file;
}

# serial (hex) or kind, id and so on for pki-admin; ext => lines; key; days

sub cert {
    my ($t, $ca, $name, %o) = @_;

    my $file = "$t->{dir}/$name.pem";
    my $key = $t->key($o{key} || 'leaf');
    my $serial = $o{serial} || $t->serial(%o);
    my $ext = spew("$t->{dir}/$name.ext", $o{ext} || "keyUsage=critical," .
                   "digitalSignature\nextendedKeyUsage=clientAuth\n");

    run_ok('openssl', 'req', '-new', '-key', $key, '-subj', "/CN=$name",
           '-out', "$file.csr");
    run_ok('openssl', 'x509', '-req', '-in', "$file.csr", '-CA', $ca,
           '-CAkey', $ca =~ s/\.pem$/.key/r, '-days', $o{days} || 365,
           '-extfile', $ext, '-set_serial', "0x$serial", '-out', $file);

    return $file;
}

sub serial {
    my ($t, %o) = @_;

    my @args = ('--kind', $o{kind} || 'Static');

    for (qw(guid id user key-file)) {
        push @args, "--$_", $o{$_} if defined $o{$_};
    }

    chomp(my $serial = run_ok($t->{admin}, 'serial', 'make', @args));

    return $serial;
}

# records certificates in the store

sub record {
    my ($t, $issuer, @files) = @_;

    run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer',
           $issuer, @files);
}

sub admin { my ($t, @args) = @_; return run($t->{admin}, @args) }

# a token of a role: the token itself; its hash goes to the file "tokens"

sub token {
    my ($t, $name, $role) = @_;

    chomp(my $token = run_ok($t->{admin}, 'token', '--file',
                             "$t->{dir}/tokens", $name, $role));
    return $token;
}


# Redis.  Options: args => [], port => 1 for TCP too; name, "redis" if none

sub redis {
    my ($t, %o) = @_;

    my $name = $o{name} || 'redis';
    my $r = $t->{redis}{$name} ||= { socket => "$t->{dir}/$name.sock",
                                     dir => "$t->{dir}/$name" };

    $r->{args} = $o{args} if $o{args};
    $r->{port} = free_port() if $o{port} && !$r->{port};
    make_path($r->{dir});

    # not by an option: Redis enters "dir" while it reads the file
    my $conf = slurp("$top/conf/redis.conf");

    $conf =~ s/^dir .*/dir $r->{dir}/m;
    spew("$t->{dir}/$name.conf", $conf);

    $r->{pid} = fork // die "fork: $!\n";

    if (!$r->{pid}) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$t->{dir}/$name.log";
        open STDERR, '>&', \*STDOUT;
        exec('redis-server', "$t->{dir}/$name.conf",
             '--unixsocket', $r->{socket},
             $r->{port} ? ('--port', $r->{port}) : (),
             @{ $r->{args} || [] })
            or POSIX::_exit(127);
    }

    wait_until(20, sub { $o{loading} || $t->_redis_up($r) })
        or die "$name does not come up\n" . slurp("$t->{dir}/$name.log");

    return $r;
}

sub _redis_up {
    my ($t, $r) = @_;

    die "redis-server ended\n" . slurp("$r->{dir}.log")
        if waitpid($r->{pid}, WNOHANG) > 0;

    return (run('redis-cli', '-s', $r->{socket}, 'ping'))[1]
           =~ /PONG|NOAUTH/;
}

sub redis_signal {
    my ($t, $signal, $name) = @_;
    kill $signal, $t->{redis}{ $name || 'redis' }{pid};
}

sub redis_stop {
    my ($t, $name, $signal) = @_;

    my $r = $t->{redis}{ $name || 'redis' };
    my $pid = delete $r->{pid} or return;

    kill 'CONT', $pid;
    kill $signal || 'TERM', $pid;

    if (!wait_until(10, sub { waitpid($pid, WNOHANG) })) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
}

sub redis_addr {
    my ($t, $name) = @_;
    return "unix:$t->{redis}{ $name || 'redis' }{socket}";
}

sub redis_cli {
    my ($t, @args) = @_;

    my $text = run_ok('redis-cli', '-s', $t->{redis}{redis}{socket}, @args);

    chomp $text;
    return $text;
}


# an nginx; see PKI::Nginx for the options

sub nginx {
    my ($t, %o) = @_;

    my $n = PKI::Nginx->new($t, name => 'nginx' . @{ $t->{nginx} }, %o);
    push @{ $t->{nginx} }, $n;

    return $n;
}

# One question by "openssl ocsp" and what it printed.

sub openssl_ocsp {
    my ($t, $n, $ca, @args) = @_;

    return run('openssl', 'ocsp', '-issuer', $ca, '-CAfile', $ca, '-url',
               $n->url('/ocsp'), @args);
}


1;
