package PKI::Sim::Scim;

# SCIM 2.0 (RFC 7643, 7644): /scim/v2/Users by index or by cursor (RFC 9865),
# filters, one user, the bearer token of an option.  Like some real ones it may
# ignore filters, give fewer than asked, or write "active" as a string.

use strict;
use warnings;

use parent qw(PKI::Sim::App);

use List::Util qw(min);
use POSIX qw(strftime);

use PKI::Sim::Entra qw(bulk_guid bulk_number);
use PKI::Sim::Filter qw(odata_filter);
use PKI::Sim::JSON;
use PKI::Sim::Login qw(guid random_text);

my $core = 'urn:ietf:params:scim:schemas:core:2.0:User';
my $messages = 'urn:ietf:params:scim:api:messages:2.0';


sub defaults {
    return (
        token => 'scim-secret',
        cap => 200,                         # Resources in an answer
        filter => 'honour',                 # or: ignore, empty, refuse
        cursor => json_false,               # pages are told by a cursor
        active_text => json_false,          # "true" instead of true
        absent_resources => json_true,      # when there are none
        drift => 0,                         # added to totalResults later on
    );
}

sub kinds {
    my ($self) = @_;

    return (user => {
        soft => sub { 1 },
        fresh => sub {
            my ($f, $n) = @_;
            %$f = (id => guid(), userName => "person$n\@example.com",
                   active => json_true, %$f);
            $f->{_modified} = $self->now;
            $f->{_version} = 1;
        },
        bulk => sub {
            my ($seed, $n) = @_;
            return { id => bulk_guid($seed, 'scim', $n),
                     userName => "user$n\@example.com", active => json_true,
                     externalId => "$n", _modified => 0, _version => 1 };
        },
        find_bulk => \&bulk_number,
    });
}

sub list_member { return 'Resources' }
sub prepare { }

sub change {
    my ($self, $kind, $id, $new) = @_;

    my $old = $self->objects($kind)->get($id) or return;

    return $self->SUPER::change($kind, $id, {
        %$new, _modified => $self->now, _version => $old->{_version} + 1 });
}


sub scim_answer {
    my ($self, $status, $v) = @_;

    my $r = $self->answer($status, $v);

    $r->{headers} = ['Content-Type' => 'application/scim+json'];

    return $r;
}

sub scim_error {
    my ($self, $status, $type, $detail) = @_;

    return $self->scim_answer($status, {
        schemas => ["$messages:Error"], status => "$status",
        defined $type ? (scimType => $type) : (), detail => $detail });
}

sub error_answer {
    my ($self, $do, $req) = @_;
    return $self->scim_error($do->{status}, $do->{code}, 'An error.');
}

sub route {
    my ($self, $req) = @_;

    my $path = PKI::Sim::App::unescape($req->{path});

    return $self->scim_error(401, undef, 'Authentication is required.')
        if ($req->{headers}{authorization} // '')
           ne 'Bearer ' . $self->option('token');
    return $self->_list($req) if $path eq '/scim/v2/Users';

    if ($path =~ m{^/scim/v2/Users/([^/]+)$}) {
        my $f = $self->objects('user')->get($1)
            or return $self->scim_error(404, undef, "Resource $1 not found.");

        return $self->scim_answer(200, $self->_user($req, $f));
    }

    return $self->scim_error(404, undef, 'Not found.');
}

sub _user {
    my ($self, $req, $f) = @_;

    my %u = (schemas => [$core], meta => {
        resourceType => 'User', version => "W/\"$f->{_version}\"",
        location => "$req->{base}/scim/v2/Users/$f->{id}",
        lastModified => strftime('%Y-%m-%dT%H:%M:%SZ',
                                 gmtime $f->{_modified}) },
        map { $_ => $f->{$_} } grep { !/^_/ } keys %$f);

    $u{active} = $u{active} ? 'true' : 'false'
        if exists $u{active} && $self->option('active_text');

    my $asked = PKI::Sim::App::arg($req, 'attributes') // return \%u;
    my %asked = map { lc() => 1 } qw(id schemas),
                map { s/\..*//r } split /\s*,\s*/, $asked;

    delete @u{ grep { !$asked{ lc() } } keys %u };

    return \%u;
}

sub _list {
    my ($self, $req) = @_;

    my $objects = $self->objects('user');
    my $start = PKI::Sim::App::arg($req, 'startindex') // 1;
    my $count = PKI::Sim::App::arg($req, 'count') // 100;
    my $filter = PKI::Sim::App::arg($req, 'filter');
    my $how = $self->option('filter');
    my $cursor = $self->option('cursor') ? PKI::Sim::App::arg($req, 'cursor')
                                         : undef;
    my $slots = $objects->living(0);

    return $self->scim_error(400, 'invalidValue', 'Not a number.')
        if "$start$count" !~ /^-?\d+$/;

    if (defined $filter && $how ne 'ignore') {
        my ($matches) = eval { odata_filter($filter) };

        return $self->scim_error(400, 'invalidFilter', 'No such filter.')
            if !$matches || $how eq 'refuse';

        $slots = $how eq 'empty' ? []
            : [grep { $matches->($self->_user({ base => '', args => {} },
                                     $objects->fields_at($_))) } @$slots];
    }

    if (length($cursor // '')) {
        $start = $self->{state}{cursors}{$cursor}
            // return $self->scim_error(400, 'invalidCursor', 'Unknown.');
    }

    $start = 1 if $start < 1;
    $count = min($count, $self->option('cap'));

    my $end = min($start - 1 + $count, scalar @$slots);
    my @page = map { $self->_user($req, $objects->fields_at($_)) }
               @$slots[$start - 1 .. $end - 1];
    my $total = @$slots + ($start > 1 ? $self->option('drift') : 0);

    my $next;

    if ($self->option('cursor') && $end < @$slots) {
        $next = random_text(40) . '+/=';
        $self->{state}{cursors}{$next} = $end + 1;
    }

    return $self->scim_answer(200, {
        schemas => ["$messages:ListResponse"], totalResults => $total,
        defined $cursor ? () : (startIndex => $start + 0),
        defined $next ? (nextCursor => $next) : (),
        itemsPerPage => scalar @page,
        @page || !$self->option('absent_resources')
            ? (Resources => \@page) : () });
}

sub demo {
    my ($self) = @_;

    $self->add('user', { userName => "$_\@demo.example" }) for qw(ann bob);
}


1;
