package PKI::Sim::App;

# What the simulators share: the command line, the clock, the options, the
# control calls under /sim/ and the way of a request through the faults.  A
# simulator derives from it and has
#
#     defaults()         its options          kinds()      its objects
#     route($req)        its answers          changed(..)  told of each change
#     error_answer(..)   its own errors       demo()       its small tenant

use strict;
use warnings;

use EV;
use Getopt::Long qw(GetOptionsFromArray);
use Mojo::IOLoop;
use Storable qw(nstore retrieve);
use Time::HiRes qw(time);

use PKI::Sim::Fault;
use PKI::Sim::JSON;
use PKI::Sim::Objects;
use PKI::Sim::Server;


sub new {
    my ($class) = @_;

    my $self = bless { offset => 0, skew => 0, faults => PKI::Sim::Fault->new,
                       state => {} }, $class;

    $self->{options} = { gzip => json_false, $self->defaults };
    $self->{server} = PKI::Sim::Server->new(
        handler => sub { $self->handle(@_) },
        date => sub { $self->now + $self->{skew} },
    );

    my %kinds = $self->kinds;

    for (keys %kinds) {
        $self->{kinds}{$_} = PKI::Sim::Objects->new(
            name => $_, clock => sub { $self->now }, %{ $kinds{$_} });
    }

    return $self;
}

# for simulators to have their own

sub demo { }
sub changed { }
sub fault_answer { return }
sub expire_token { }
sub list_member { return 'value' }
sub control { return }
sub stats { return () }
sub state_loaded { }

sub now { my ($self) = @_; return time + $self->{offset} }
sub option { my ($self, $name) = @_; return $self->{options}{$name} }
sub objects { my ($self, $kind) = @_; return $self->{kinds}{$kind} }


# the program

my $usage = <<'END';
usage: %s [--listen URL]... [--tls CERT KEY] [--port-file FILE]
       [--state FILE] [--option NAME=JSON]... [--demo] [--stay]

Serves until its standard input ends or a TERM comes.

    --listen URL      http://127.0.0.1:0 if there is none; more than one may
                      be given, and https://127.0.0.1:0 with --tls
    --tls CERT KEY    files with the certificate (chain) and the key
    --tls-version V   only this version (TLSv1, TLSv1_2 ...)
    --port-file FILE  the ports, a line each, as soon as they are open;
                      they are also printed
    --state FILE      what there is outlives a restart
    --option N=JSON   see t/sim/README.md
    --demo            starts with a small tenant of fixed identifiers
    --stay            does not end with its standard input
END

sub main {
    my ($class, @args) = @_;

    my (%o, @listen, @tls, @option);

    GetOptionsFromArray(\@args, \%o, 'help', 'listen=s' => \@listen,
                        'tls=s{2}' => \@tls, 'tls-version=s', 'port-file=s',
                        'state=s', 'option=s' => \@option, 'demo',
                        'stay')
        && !@args or do { printf STDERR $usage, $0; return 1 };

    if ($o{help}) {
        printf $usage, $0;
        return 0;
    }

    my $self = $class->new;

    for (@option) {
        my ($name, $json) = split /=/, $_, 2;

        $self->set_options({ $name => from_json($json // 'null') });
    }

    $self->{state_file} = $o{state};
    $self->load if $o{state} && -s $o{state};
    $self->demo if $o{demo} && !$self->{loaded};

    my %tls = (cert => $tls[0], key => $tls[1]);

    @tls{qw(version ciphers)} = ($o{'tls-version'}, 'DEFAULT:@SECLEVEL=0')
        if $o{'tls-version'};

    $self->{ports} = [map { $self->{server}->listen($_, %tls) }
                      @listen ? @listen : 'http://127.0.0.1:0'];
    $self->ready($o{'port-file'});
    $self->run($o{stay});

    return 0;
}

sub ready {
    my ($self, $file) = @_;

    my $text = join '', map { "$_\n" } @{ $self->{ports} };

    if ($file) {
        open my $fh, '>', "$file.new" or die "$file: $!\n";
        print $fh $text;
        close $fh or die "$file: $!\n";
        rename "$file.new", $file or die "$file: $!\n";
    }

    local $| = 1;
    print $text;
}

sub run {
    my ($self, $stay) = @_;

    $SIG{PIPE} = 'IGNORE';

    my @end = map { EV::signal($_, sub { Mojo::IOLoop->stop }) }
              qw(TERM INT);
    my $stdin = $stay || EV::io(\*STDIN, EV::READ, sub {
        Mojo::IOLoop->stop unless sysread STDIN, my $buf, 4096;
    });

    Mojo::IOLoop->start;
    $self->save if $self->{state_file};
}

sub save {
    my ($self) = @_;

    my %kinds = map { $_ => $self->{kinds}{$_}->state }
                keys %{ $self->{kinds} };

    nstore({ kinds => \%kinds, state => $self->{state},
             options => to_json($self->{options}),
             offset => $self->{offset} }, $self->{state_file});
}

sub load {
    my ($self) = @_;

    my $s = retrieve($self->{state_file});

    $self->{kinds}{$_}->set_state($s->{kinds}{$_})
        for keys %{ $self->{kinds} };
    $self->{state} = $s->{state};
    $self->{options} = from_json($s->{options});
    $self->{offset} = $s->{offset};
    $self->{loaded} = 1;
}


# the way of a request

sub handle {
    my ($self, $req) = @_;

    $req->{args} = _query($req->{query});

    return $self->_control($req) if $req->{control};

    my $do = $self->{faults}->match($req);

    return $self->_routed($req) unless $do;

    $req->{entry}{fault} = 1 if $req->{entry};
    $self->expire_token($req) if $do->{expire_token};
    $self->_calls($do->{before});

    my $r = PKI::Sim::Fault::whole($do, $self, $req);

    $self->_routed($req) if $r && $do->{run};
    $r ||= $self->_routed($req);
    $self->_calls($do->{then});

    return PKI::Sim::Fault::change($do, $self, $r) if ref $r ne 'CODE';

    return sub {
        my $done = shift;
        $r->(sub { $done->(PKI::Sim::Fault::change($do, $self, shift)) });
    };
}

sub _routed {
    my ($self, $req) = @_;

    my $r = $self->route($req);

    $r->{plan}{gzip} = 1 if ref $r ne 'CODE' && $self->{options}{gzip};

    return $r;
}

# control calls that a fault brings along: [method, path, body]

sub _calls {
    my ($self, $calls) = @_;

    for (@{ $calls || [] }) {
        my ($path, $query) = split /\?/, $_->[1], 2;

        $self->_control({ method => $_->[0], path => $path,
                          args => _query($query // ''),
                          body => $_->[2] ? to_json($_->[2]) : '' });
    }
}

sub answer {
    my ($self, $status, $v, @headers) = @_;

    return { status => $status, body => ref $v ? to_json($v) : $v // '',
             headers => ['Content-Type' => 'application/json', @headers] };
}

sub html {
    my ($self, $status, $title) = @_;

    return { status => $status,
             headers => ['Content-Type' => 'text/html;charset=utf-8'],
             body => "<html><head><title>$title</title></head><body>"
                     . "<h1>$title</h1><p>&nbsp;</p></body></html>\n" };
}

sub unescape {
    my ($text) = @_;

    $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;

    return $text;
}

# {name in lower case => [values]}

sub _query {
    my ($query) = @_;

    my %args;

    for (split /&/, $query) {
        my ($name, $value) = map { unescape(tr/+/ /r) } split /=/, $_, 2;

        push @{ $args{ lc($name // '') } }, $value // '';
    }

    return \%args;
}

sub arg { my ($req, $name) = @_; return $req->{args}{$name}[0] }


# control

sub _control {
    my ($self, $req) = @_;

    my (undef, undef, $what, @path) = map { unescape($_) }
                                      split m{/}, $req->{path};
    my $in = length $req->{body} ? eval { from_json($req->{body}) } : {};

    return $self->answer(400, { error => "JSON: $@" }) unless defined $in;

    my $name = "_control_" . ($what // '');
    my $code = $self->can($name);
    my $out = eval {
        $code ? $self->$code($req, $in, @path)
              : $self->control($req, $what, $in, @path)
    };

    return $self->answer(400, { error => $@ }) if $@;
    return $self->answer(404, { error => 'no such thing' })
        unless defined $out;
    return $out if ref $out eq 'CODE';

    return $self->answer(200, $out);
}

sub _kind {
    my ($self, $kind) = @_;
    return $self->{kinds}{ $kind // '' } || die "no kind \"$kind\"\n";
}

sub _control_objects {
    my ($self, $req, $in, $kind, $id, $verb) = @_;

    my $method = $req->{method};

    if ($method eq 'POST' && !defined $kind) {
        my @made = map { my %f = %$_; $self->add(delete $f{kind}, \%f) }
                   ref $in eq 'ARRAY' ? @$in : $in;

        return ref $in eq 'ARRAY' ? \@made : $made[0];
    }

    my $objects = $self->_kind($kind);

    return [$objects->all] if $method eq 'GET' && !defined $id;
    return $objects->get($id) if $method eq 'GET';
    return $self->change($kind, $id, $in) if $method eq 'PATCH';
    return $self->remove($kind, $id, arg($req, 'hard'))
        if $method eq 'DELETE';
    return $self->restore($kind, $id) if ($verb // '') eq 'restore';
    return $self->change($kind, $id, { managementState => 'wipePending' })
        if ($verb // '') eq 'wipe';

    return;
}

sub add {
    my ($self, $kind, $fields) = @_;

    my $o = $self->_kind($kind)->add($fields);

    $self->changed($kind, 'created', $o);

    return $o;
}

sub change {
    my ($self, $kind, $id, $new) = @_;

    my $old = $self->_kind($kind)->get($id) or return;
    my $o = $self->_kind($kind)->change($id, $new);

    $self->changed($kind, 'updated', $o, $old);

    return $o;
}

sub remove {
    my ($self, $kind, $id, $hard) = @_;

    my $o = $self->_kind($kind)->remove($id, $hard) or return;

    $self->changed($kind, 'deleted', $o);

    return $o;
}

sub restore {
    my ($self, $kind, $id) = @_;

    my $o = $self->_kind($kind)->restore($id) or return;

    $self->changed($kind, 'updated', $o);

    return $o;
}

sub _control_bulk {
    my ($self, $req, $in) = @_;

    my $objects = $self->_kind($in->{kind});

    die "a bulk of $in->{kind} is not provided for\n" unless $objects->{bulk};

    my $first = $objects->bulk($in->{count}, $in->{seed} // 1);

    $self->prepare($in->{kind}, $in->{prepare}) if $in->{prepare};

    return { count => $in->{count} + 0, first => $first,
             ids => [map { $objects->id_of($first + $_) }
                     grep { $_ < $in->{count} } 0 .. 9] };
}

# each n-th object: {kind, every, set => {...} or delete => "soft", "hard"}

sub _control_mass {
    my ($self, $req, $in) = @_;

    my $objects = $self->_kind($in->{kind});
    my @slots = @{ $objects->living(0) };
    my $every = $in->{every} || 1;
    my $n = 0;

    for my $i (grep { $_ % $every == 0 } 0 .. $#slots) {
        my $id = $objects->id_of($slots[$i]);

        $in->{set} ? $self->change($in->{kind}, $id, $in->{set})
                   : $self->remove($in->{kind}, $id,
                                   ($in->{delete} // '') eq 'hard');
        $n++;
    }

    return { count => $n };
}

sub _control_clock {
    my ($self, $req, $in) = @_;

    $self->{offset} += $in->{advance} if defined $in->{advance};
    $self->{offset} = $in->{set} - time if defined $in->{set};
    $self->{skew} = $in->{skew} if defined $in->{skew};

    return { now => $self->now, skew => $self->{skew} };
}

sub _control_faults {
    my ($self, $req, $in) = @_;

    my $faults = $self->{faults};

    $faults->add(ref $in eq 'ARRAY' ? @$in : $in) if $req->{method} eq 'POST';
    $faults->clear if $req->{method} eq 'DELETE';

    return $faults->list;
}

sub set_options {
    my ($self, $in) = @_;

    for (keys %$in) {
        die "no option \"$_\"\n" unless exists $self->{options}{$_};
        $self->{options}{$_} = $in->{$_};
    }
}

sub _control_options {
    my ($self, $req, $in) = @_;

    $self->set_options($in);

    return $self->{options};
}

sub _control_log {
    my ($self, $req) = @_;

    my $server = $self->{server};

    $server->{log} = [] if $req->{method} eq 'DELETE';

    my $re = arg($req, 'path') // '';

    return [grep { $_->{target} =~ /(?:$re)/ } @{ $server->{log} }];
}

sub _control_stats {
    my ($self, $req) = @_;

    my $stats = $self->{server}{stats};

    $stats->{connections_most} = $stats->{connections_now}
        if $req->{method} eq 'DELETE';

    return { %$stats, $self->stats,
             objects => { map { $_ => $self->{kinds}{$_}{count} }
                          keys %{ $self->{kinds} } } };
}


1;
