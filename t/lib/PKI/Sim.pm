package PKI::Sim;

# A simulator of t/sim as a story wants it: on a free port, ready when new()
# returns, scripted by its control calls, and gone when the story is, also
# when it dies: the simulator reads its standard input, which is a pipe of
# this process.
#
#     my $g = PKI::Sim->new('graph', dir => $t->{dir});
#     my $d = $g->add('device', accountEnabled => PKI::Sim::false);
#     $g->fault({ path => '/devices/delta', times => 2,
#                 do => { status => 429, headers => { 'Retry-After' => 1 } }});

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP ();
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time sleep);

use PKI::HTTP;

my $ready_limit = 20;       # seconds
my $end_limit = 10;
my $sims = dirname(abs_path(__FILE__)) . '/../../sim';
my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my $owner = $$;
my %running;


sub true { return JSON::PP::true }
sub false { return JSON::PP::false }

# dir => directory (one of its own if none), listen => [addresses], tls =>
# [certificate, key], tls_version, state => 1 to outlive stop(), demo => 1,
# options => {}, args => []

sub new {
    my ($class, $what, %o) = @_;

    my $self = bless { what => $what, %o }, $class;

    $self->{dir} //= tempdir('sim-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    $self->{name} //= "$what-" . ($$ . '-' . (0 + keys %running));
    $self->start;

    return $self;
}

sub start {
    my ($self) = @_;

    my $path = "$self->{dir}/$self->{name}";
    my @listen = $self->{ports}
        ? $self->_same_ports : @{ $self->{listen}
                                  || ['http://127.0.0.1:0'] };
    my @args = ((map { ('--listen', $_) } @listen),
                $self->{tls} ? ('--tls', @{ $self->{tls} }) : (),
                $self->{tls_version}
                    ? ('--tls-version', $self->{tls_version}) : (),
                $self->{state} ? ('--state', "$path.state") : (),
                $self->{demo} ? '--demo' : (), '--port-file', "$path.port",
                @{ $self->{args} || [] });

    unlink "$path.port";
    pipe my $in, $self->{stdin} or die "pipe: $!\n";

    my $pid = $self->{pid} = fork // die "fork: $!\n";

    if (!$pid) {
        open STDIN, '<&', $in;
        open STDOUT, '>>', "$path.log";
        open STDERR, '>&', \*STDOUT;
        exec($^X, "$sims/$self->{what}", @args) or POSIX::_exit(127);
    }

    close $in;
    $running{"$self"} = $self;
    $self->_ready("$path.port", "$path.log");

    my $again = $self->{ports};

    $self->{listened} = \@listen;
    $self->{ports} = $self->{open};
    $self->option(%{ $self->{options} }) if $self->{options} && !$again;

    return $self;
}

sub _same_ports {
    my ($self) = @_;

    my @ports = @{ $self->{ports} };

    return map { s/:\d+$/':' . shift @ports/er } @{ $self->{listened} };
}

sub _ready {
    my ($self, $file, $log) = @_;

    my $end = time + $ready_limit;

    until (-e $file) {
        my $ended = waitpid($self->{pid}, WNOHANG) > 0;

        if ($ended || time > $end) {
            $self->stop unless $ended;
            delete $running{"$self"};
            open my $fh, '<', $log;
            local $/;
            die "$self->{what} does not start\n" . (<$fh> // '');
        }

        sleep 0.02;
    }

    open my $fh, '<', $file or die "$file: $!\n";
    chomp(my @ports = <$fh>);
    $self->{open} = \@ports;
}

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    close delete $self->{stdin};
    delete $running{"$self"};

    my $end = time + $end_limit;

    until (waitpid $pid, WNOHANG) {
        kill 'KILL', $pid if time > $end;
        sleep 0.02;
    }
}

END {
    if ($$ == $owner) {
        my $status = $?;

        $_->stop for values %running;
        $? = $status;
    }
}


# where it is; a number chooses one of several addresses

sub port { my ($self, $i) = @_; return $self->{ports}[$i || 0] }

sub url {
    my ($self, $path, $i) = @_;

    my ($scheme) = $self->{listened}[$i || 0] =~ /^(\w+)/;

    return "$scheme://127.0.0.1:" . $self->port($i) . ($path // '');
}


# control

sub control {
    my ($self, $method, $path, $in) = @_;

    my $i = 0;

    $i++ while $self->{listened}[$i] !~ /^http:/ && $i < $#{ $self->{ports} };

    my $r = http($self->port($i), $method, "/sim/$path",
                 body => defined $in ? $json->encode($in) : undef);

    die "$self->{what}: $method /sim/$path: $r->{status} $r->{body}\n"
        if $r->{status} != 200;

    return $json->decode($r->{body});
}

sub add {
    my ($self, $kind, %fields) = @_;
    return $self->control('POST', 'objects', { %fields, kind => $kind });
}

sub add_all {
    my ($self, @objects) = @_;
    return $self->control('POST', 'objects', \@objects);
}

sub bulk {
    my ($self, $kind, $count, %o) = @_;
    return $self->control('POST', 'bulk',
                          { %o, kind => $kind, count => $count });
}

# each n-th: every => n, set => {} or delete => 'soft' or 'hard'

sub mass {
    my ($self, $kind, %o) = @_;
    return $self->control('POST', 'mass', { %o, kind => $kind });
}

sub _path {
    my ($kind, $id) = @_;
    return "objects/$kind/" . ($id =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger);
}

sub get {
    my ($self, $kind, $id) = @_;
    return $self->control('GET', defined $id ? _path($kind, $id)
                                             : "objects/$kind");
}

sub change {
    my ($self, $kind, $id, %fields) = @_;
    return $self->control('PATCH', _path($kind, $id), \%fields);
}

sub delete {
    my ($self, $kind, $id, %o) = @_;
    return $self->control('DELETE', _path($kind, $id)
                                    . ($o{hard} ? '?hard=1' : ''));
}

sub restore {
    my ($self, $kind, $id) = @_;
    return $self->control('POST', _path($kind, $id) . '/restore');
}

sub wipe {
    my ($self, $kind, $id) = @_;
    return $self->control('POST', _path($kind, $id) . '/wipe');
}

sub fault {
    my ($self, @faults) = @_;
    return $self->control('POST', 'faults', \@faults);
}

sub faults { return shift->control('GET', 'faults') }
sub faults_clear { return shift->control('DELETE', 'faults') }

sub option {
    my ($self, %options) = @_;
    return $self->control('POST', 'options', \%options);
}

sub clock {
    my ($self, %how) = @_;
    return $self->control('POST', 'clock', \%how);
}

# entries of the log whose target matches

sub log {
    my ($self, $path) = @_;

    $path = defined $path
            ? '?path=' . $path =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger
            : '';

    return @{ $self->control('GET', "log$path") };
}

sub log_clear { return shift->control('DELETE', 'log') }
sub stats { return shift->control('GET', 'stats') }

# a token without asking for one

sub token {
    my ($self, %o) = @_;
    return $self->control('POST', 'token', \%o)->{token};
}

sub notify {
    my ($self, %o) = @_;
    return $self->control('POST', 'notify', \%o);
}

sub sent { return @{ shift->control('GET', 'sent') } }


1;
