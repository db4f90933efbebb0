package PKI::Sim::Server;

# HTTP/1.1 on Mojo's event loop, by hand, so that a simulator can break any
# octet of an answer and knows each octet of a question: raw targets, headers
# and bodies go to a log.  A handler gets a request (a hash) and returns an
# answer {status, headers => [name, value, ...], body, plan}, or code that
# will call back with one.  The plan says how the answer is to travel: delay,
# hang, slow, slow_head, truncate, reset, gzip, close.

use strict;
use warnings;

use Compress::Zlib qw(memGzip);
use Mojo::IOLoop;
use Scalar::Util qw(blessed);
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

my $head_max = 1 << 18;     # octets; nobody sends more
my $body_max = 1 << 26;
my $log_max = 20000;        # requests that are remembered
my $chunk = 16384;

my %reason = (200 => 'OK', 201 => 'Created', 202 => 'Accepted',
              204 => 'No Content', 301 => 'Moved Permanently',
              302 => 'Found', 307 => 'Temporary Redirect',
              400 => 'Bad Request', 401 => 'Unauthorized',
              403 => 'Forbidden', 404 => 'Not Found', 410 => 'Gone',
              429 => 'Too Many Requests', 500 => 'Internal Server Error',
              501 => 'Not Implemented', 502 => 'Bad Gateway',
              503 => 'Service Unavailable', 504 => 'Gateway Timeout');


# handler => code, date => code that tells the clock of the simulator

sub new {
    my ($class, %o) = @_;

    return bless {
        %o,
        log    => [],
        conns  => {},
        stats  => { requests => 0, connections => 0, connections_now => 0,
                    connections_most => 0, answers => {} },
        number => 0,
    }, $class;
}

# An address like http://127.0.0.1:0 or https://...; returns its port.  Of
# TLS: cert, key (files), version (IO::Socket::SSL's name), ciphers.

sub listen {
    my ($self, $address, %tls) = @_;

    my ($scheme, $host, $port) =
        $address =~ m{^(https?)://([^:/]+):(\d+)/?$}
            or die "not an address: \"$address\"\n";
    my %o = (address => $host, port => $port);

    if ($scheme eq 'https') {
        @o{qw(tls tls_cert tls_key)} = (1, @tls{qw(cert key)});
        $o{tls_options}{SSL_version} = $tls{version} if $tls{version};
        $o{tls_options}{SSL_cipher_list} = $tls{ciphers} if $tls{ciphers};
    }

    my $id = Mojo::IOLoop->server(\%o, sub {
        my ($loop, $stream) = @_;
        $self->_accept($stream, $scheme);
    });

    return Mojo::IOLoop->acceptor($id)->port;
}

sub _accept {
    my ($self, $stream, $scheme) = @_;

    my $c = { id => ++$self->{number}, stream => $stream, buf => '',
              scheme => $scheme };

    $self->{conns}{ $c->{id} } = $c;
    $stream->timeout(0);
    $stream->on(read => sub { $c->{buf} .= $_[1]; $self->_read($c) });
    $stream->on(error => sub { });
    $stream->on(close => sub { $self->_gone($c) });
}

sub _gone {
    my ($self, $c) = @_;

    $self->{stats}{connections_now}-- if delete $c->{counted};
    Mojo::IOLoop->remove(delete $c->{timer}) if $c->{timer};
    $c->{closed} = 1;
    delete $self->{conns}{ $c->{id} };
}


# requests

sub _read {
    my ($self, $c) = @_;

    return if $c->{busy} || $c->{closed};

    my $end = index $c->{buf}, "\r\n\r\n";

    if ($end < 0) {
        $c->{stream}->close if length $c->{buf} > $head_max;
        return;
    }

    my $req = _head(substr $c->{buf}, 0, $end) or return $c->{stream}->close;
    my $size = _body($req, $c, $end + 4) // return;

    substr $c->{buf}, 0, $size, '';
    $self->_ask($c, $req);
}

sub _head {
    my ($line, @lines) = split /\r\n/, shift;
    my ($method, $target, $version) =
        $line =~ m{^([A-Z]+) (\S+) HTTP/1\.([01])$} or return;
    my %headers;

    for (@lines) {
        my ($name, $value) = /^([^:\s]+):\s*(.*?)\s*$/ or return;

        $name = lc $name;
        $headers{$name} = exists $headers{$name}
                          ? "$headers{$name}, $value" : $value;
    }

    # the absolute form is for proxies, but allowed
    my ($path, $query) = split /\?/, $target =~ s{^https?://[^/]+}{}r, 2;

    return { method => $method, target => $target, version => $version,
             path => $path, query => $query // '', headers => \%headers,
             raw => \@lines, time => time };
}

# puts the body in its place; the octets that the request took, or undef
# while there are not enough

sub _body {
    my ($req, $c, $at) = @_;

    my $h = $req->{headers};

    if (lc($h->{'transfer-encoding'} // '') eq 'chunked') {
        my $body = '';

        pos($c->{buf}) = $at;

        while ($c->{buf} =~ /\G([0-9A-Fa-f]+)[^\r\n]*\r\n/gc) {
            my ($n, $from) = (hex $1, pos $c->{buf});

            return if $n > $body_max || length $c->{buf} < $from + $n + 2;

            $body .= substr $c->{buf}, $from, $n;
            pos($c->{buf}) = $from + $n + 2;
            $req->{body} = $body, return $from + 2 unless $n;
        }

        return;
    }

    my $n = $h->{'content-length'} || 0;

    if (length $c->{buf} < $at + $n) {
        if (lc($h->{expect} // '') eq '100-continue' && !$c->{continued}++) {
            $c->{stream}->write("HTTP/1.1 100 Continue\r\n\r\n");
        }
        $c->{stream}->close if $n > $body_max;
        return;
    }

    $c->{continued} = 0;
    $req->{body} = substr $c->{buf}, $at, $n;

    return $at + $n;
}

sub _ask {
    my ($self, $c, $req) = @_;

    $c->{busy} = 1;
    $req->{connection} = $c->{id};
    $req->{base} = "$c->{scheme}://" . ($req->{headers}{host} // 'localhost');
    $req->{control} = $req->{path} =~ m{^/sim(/|$)};
    $self->_note($c, $req) unless $req->{control};

    my $r = eval { $self->{handler}->($req) } || _failure($@);

    return $self->_answer($c, $req, $r) if ref $r ne 'CODE';

    $r->(sub { $self->_answer($c, $req, shift) });
}

sub _failure {
    my ($error) = @_;

    warn "simulator: $error";

    return { status => 599, headers => ['Content-Type' => 'text/plain'],
             body => "simulator: $error" };
}

sub _note {
    my ($self, $c, $req) = @_;

    my $s = $self->{stats};

    if (!$c->{counted}) {
        $c->{counted} = 1;
        $s->{connections}++;
        $s->{connections_now}++;
        $s->{connections_most} = $s->{connections_now}
            if $s->{connections_now} > $s->{connections_most};
    }

    $s->{requests}++;
    push @{ $self->{log} }, $req->{entry} = {
        number => $s->{requests}, time => $req->{time},
        clock => $self->{date}->(), method => $req->{method},
        target => $req->{target}, scheme => $c->{scheme},
        headers => { %{ $req->{headers} } }, raw => $req->{raw},
        body => $req->{body}, connection => $c->{id}, status => undef,
    };
    shift @{ $self->{log} } if @{ $self->{log} } > $log_max;
}


# answers

sub _answer {
    my ($self, $c, $req, $r) = @_;

    my $plan = $r->{plan} ||= {};

    return if $c->{closed};
    return $self->_seen($req, 0) if $plan->{hang};

    if (my $delay = delete $plan->{delay}) {
        Mojo::IOLoop->timer($delay => sub { $self->_answer($c, $req, $r) });
        return;
    }

    if (blessed $plan->{reset}) {
        $self->_seen($req, 0);
        return _reset($c);
    }

    $self->_seen($req, $r->{status});

    my ($head, $body) = $self->_frame($req, $r);
    my $end = defined $plan->{reset} || defined $plan->{truncate};
    my $close = $end || $plan->{close} || !$req->{version}
                || lc($req->{headers}{connection} // '') eq 'close';
    my $done = sub {
        return if $c->{closed};
        return _reset($c) if defined $plan->{reset};
        return $c->{stream}->close_gracefully if $close;

        $c->{busy} = 0;
        $self->_read($c);
    };

    if ($plan->{slow_head}) {
        _trickle($c, "$head$body", $plan->{slow_head}, $done);

    } elsif ($plan->{slow}) {
        $c->{stream}->write($head);
        _trickle($c, $body, $plan->{slow}, $done);

    } else {
        $c->{stream}->write("$head$body" => $done);
    }
}

sub _seen {
    my ($self, $req, $status) = @_;

    return unless $req->{entry};

    $req->{entry}{status} = $status;
    $req->{entry}{took} = time - $req->{time};
    $self->{stats}{answers}{$status}++;
}

# head and body as they travel; less of the body where it is to be truncated

sub _frame {
    my ($self, $req, $r) = @_;

    my ($plan, $body) = ($r->{plan}, $r->{body} // '');
    my @headers = @{ $r->{headers} || [] };
    my %has = map { lc $headers[2 * $_] => 1 } 0 .. @headers / 2 - 1;
    my $cut = $plan->{truncate} // $plan->{reset};
    my $chunked = ($r->{chunked} && !defined $cut
                   || ($cut // '') eq 'chunked') && $req->{version};

    utf8::encode($body) if utf8::is_utf8($body);

    if ($plan->{gzip}
        && ($plan->{gzip} eq 'force'
            || ($req->{headers}{'accept-encoding'} // '') =~ /gzip/))
    {
        $body = memGzip($body);
        push @headers, 'Content-Encoding' => 'gzip';
    }

    push @headers, Date => _date($self->{date}->()) unless $has{date};

    if ($chunked) {
        push @headers, 'Transfer-Encoding' => 'chunked';
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                         unpack "(a$chunk)*", $body;
        $body .= "0\r\n\r\n" unless ($cut // '') eq 'chunked';

    } elsif ($r->{status} != 204) {
        push @headers, 'Content-Length' => length $body
            unless $has{'content-length'};
        $body = substr $body, 0, $cut if defined $cut && $cut ne 'chunked';
    }

    push @headers, Connection => 'close' if $plan->{close};

    my $head = "HTTP/1.1 $r->{status} "
               . ($reason{ $r->{status} } // 'Unknown') . "\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    return ("$head\r\n", $req->{method} eq 'HEAD' ? '' : $body);
}

sub _trickle {
    my ($c, $octets, $rate, $done) = @_;

    my $step = $rate > 10 ? int($rate / 10) : 1;
    my $at = 0;

    $c->{timer} = Mojo::IOLoop->recurring($step / $rate => sub {
        $c->{stream}->write(substr $octets, $at, $step);
        $at += $step;

        if ($at >= length $octets) {
            Mojo::IOLoop->remove(delete $c->{timer});
            $c->{stream}->write('' => $done);
        }
    });
}

# closed with RST

sub _reset {
    my ($c) = @_;

    setsockopt $c->{stream}->handle, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $c->{stream}->close;
}

sub _date {
    my ($s, $m, $h, $day, $month, $year, $wday) = gmtime shift;

    return sprintf '%s, %02d %s %04d %02d:%02d:%02d GMT',
        qw(Sun Mon Tue Wed Thu Fri Sat)[$wday], $day,
        qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)[$month],
        $year + 1900, $h, $m, $s;
}


1;
