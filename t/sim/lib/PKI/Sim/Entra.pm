package PKI::Sim::Entra;

# Devices, users, deleted items and risky users of Microsoft Graph, and lists
# in pages.  A link is opaque and long, and known only as it was given out: who
# takes it apart and puts it together again fails.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Exporter 'import';
use POSIX qw(strftime);

use PKI::Sim::Filter qw(odata_filter);
use PKI::Sim::JSON;
use PKI::Sim::Login qw(guid random_text);

our @EXPORT_OK = qw(bulk_guid bulk_number collection);

my $list_max = 999;         # $top of directory objects
my $links_max = 20000;      # links that are remembered
my $pad = random_text(4096) =~ s/(.{97})/$1%2b%2F/gr;

my %default = (
    user => [qw(businessPhones displayName givenName jobTitle mail
                mobilePhone officeLocation preferredLanguage surname
                userPrincipalName)],
    device => undef,
    riskyUser => undef,
);
my %collection = (device => 'devices', user => 'users',
                  riskyUser => 'identityProtection/riskyUsers');


sub entra_defaults {
    return (
        list_page => 100,           # without $top
        skip_token_age => 0,        # 0: for ever
        token_length => 2200,       # of the opaque part of links
        ignore_filter => json_false,
        replicas => 0,              # seconds that every other answer lags
        risky_rate => 0,            # requests a second
        risky_page => 100,
        risky_licence => json_true,
        risky_last_page_bug => json_false,
    );
}

sub collection { return $collection{ +shift } }

sub bulk_guid {
    my ($seed, $what, $n) = @_;

    my $h = md5_hex("$seed/$what/$n");

    return sprintf '%s-%s-4%s-8%s-%012x', substr($h, 0, 8), substr($h, 8, 4),
                   substr($h, 12, 3), substr($h, 15, 3), $n;
}

# a GUID of a bulk ends in its number

sub bulk_number {
    my ($id) = @_;

    return $id =~ /-([0-9a-f]{12})$/i ? hex $1
           : $id =~ /^user(\d+)@/ ? $1 : ();
}

sub iso {
    my ($time) = @_;
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $time);
}

sub entra_kinds {
    my ($self) = @_;

    return (
        device => {
            fresh => \&_fresh_device, find_bulk => \&bulk_number,
            bulk => \&_bulk_device,
            soft => sub { ($_[0]{trustType} // '') =~ /AzureAd|Workplace/ },
            gone => sub {
                my ($f, $now) = @_;
                @$f{qw(isCompliant isManaged deletedDateTime)} =
                    (json_false, undef, iso($now));
            },
            back => sub { delete $_[0]{deletedDateTime} },
        },
        user => {
            fresh => \&_fresh_user, find_bulk => \&bulk_number,
            bulk => \&_bulk_user, soft => sub { 1 },
            gone => sub {
                my ($f, $now) = @_;
                $f->{deletedDateTime} = iso($now);
                $f->{userPrincipalName} =
                    ($f->{id} =~ tr/-//dr) . ($f->{userPrincipalName} // '');
            },
            back => sub {
                my ($f) = @_;
                delete $f->{deletedDateTime};
                $f->{userPrincipalName} =~ s/^[0-9A-Fa-f]{32}//;
            },
        },
        riskyUser => {
            fresh => sub {
                my ($f) = @_;
                %$f = (riskLevel => 'high', riskState => 'atRisk',
                       riskDetail => 'none', isDeleted => json_false,
                       isProcessing => json_false, userPrincipalName => undef,
                       riskLastUpdatedDateTime =>
                           iso($self->now) =~ s/Z/.1234567Z/r, %$f);
                $f->{id} //= guid();
            },
        },
    );
}

sub _fresh_device {
    my ($f, $n) = @_;

    %$f = (id => guid(), deviceId => guid(), accountEnabled => json_true,
           isCompliant => json_true, isManaged => json_true,
           trustType => 'AzureAd', displayName => "device-$n",
           operatingSystem => 'Windows', profileType => 'RegisteredDevice',
           approximateLastSignInDateTime => '2026-08-01T08:15:00Z', %$f);
}

sub _bulk_device {
    my ($seed, $n) = @_;

    return { id => bulk_guid($seed, 'device', $n),
             deviceId => bulk_guid($seed, 'deviceId', $n),
             accountEnabled => json_true, isCompliant => json_true,
             isManaged => json_true, trustType => 'AzureAd',
             displayName => "bulk-$n", operatingSystem => 'Windows' };
}

sub _fresh_user {
    my ($f, $n) = @_;

    %$f = (id => guid(), userPrincipalName => "person-$n\@example.com",
           displayName => "Person $n", accountEnabled => json_true,
           userType => 'Member', mail => undef, %$f);
}

sub _bulk_user {
    my ($seed, $n) = @_;

    return { id => bulk_guid($seed, 'user', $n),
             userPrincipalName => "user$n\@example.com",
             displayName => "User $n", accountEnabled => json_true,
             userType => 'Member' };
}


# links

sub link_to {
    my ($self, $req, $target, $name, $link) = @_;

    my $state = $self->{state};
    my $length = $self->option('token_length');
    my $token = sprintf 'RFNwdAoAAQ%08x%s', ++$state->{link_number},
                        random_text(22);

    $token .= substr $pad, 0, $length - length $token
        if $length > length $token;
    $token =~ s/%.?$//;
    $target .= ($target =~ /\?/ ? '&' : '?') . "\$$name=$token";
    $link->{made} = $self->now;
    $state->{links}{$target} = $link;
    push @{ $state->{link_order} }, $target;
    delete $state->{links}{ shift @{ $state->{link_order} } }
        if @{ $state->{link_order} } > $links_max;

    return $req->{base} . $target;
}

sub link_of {
    my ($self, $req) = @_;
    return $self->{state}{links}{ $req->{target} };
}

# the beginning of each page

sub context_of {
    my ($self, $req, $version, $what, $select) = @_;

    return qq({"\@odata.context":"$req->{base}/$version/\$metadata#$what)
           . (defined $select ? "($select)" : '') . ($_[5] // '') . '"';
}

sub page_of {
    my ($self, $head, $items, %links) = @_;

    my $r = $self->graph_answer(200, $head . join('', map {
        defined $links{$_} ? qq(,"\@odata.$_":) . to_json($links{$_}) : ()
    } sort keys %links) . qq(,"value":[$items]}));

    $r->{chunked} = 1;

    return $r;
}

# code that writes an object with the selected fields

sub writer {
    my ($self, $kind, $select) = @_;

    my $names = $self->names($kind, $select);

    return sub {
        my ($f) = @_;

        return to_json({ map { $_ => $f->{$_} }
                         grep { !/^_/ } keys %$f }) if !$names;
        return to_json({ map { exists $f->{$_} ? ($_ => $f->{$_}) : () }
                         @$names });
    };
}

sub names {
    my ($self, $kind, $select) = @_;

    my %seen;
    my $names = defined $select ? [split /\s*,\s*/, $select]
                                : $default{$kind};

    return $names && [grep { !$seen{$_}++ } 'id', @$names];
}


# lists

# %o: kind, version, path, max, default (page size), count, from => code

sub list {
    my ($self, $req, %o) = @_;

    my $link = $self->link_of($req);

    return $self->_list_page($req, $link) if $link;

    my $arg = sub { PKI::Sim::App::arg($req, shift) };
    my $top = $arg->('$top');

    return $self->graph_error(400, 'Request_BadRequest',
                              'Skip token is not valid.')
        if defined $arg->('$skiptoken');
    return $self->graph_error(400, 'Request_BadRequest',
                              "'\$skip' is not supported by the service.")
        if defined $arg->('$skip');
    return $self->graph_error(400, 'Request_UnsupportedQuery',
                              "Invalid page size specified: '$top'. Must be "
                              . "between 1 and $o{max} inclusive.")
        if defined $top && ($top !~ /^\d+$/ || $top < 1 || $top > $o{max});

    my ($filter, $error) = $self->filter_of($req, $o{kind});

    return $error if $error;

    $link = { %o, from => 0, top => $top // $o{default},
              select => $arg->('$select'), filter => $filter,
              target => $req->{target} };
    $link->{count} = 1
        if ($arg->('$count') // '') eq 'true' && _eventual($req);

    return $self->_list_page($req, $link);
}

sub _eventual {
    return lc($_[0]{headers}{consistencylevel} // '') eq 'eventual';
}

# (text of the filter or undef, answer with an error or undef)

sub filter_of {
    my ($self, $req, $kind) = @_;

    my $text = PKI::Sim::App::arg($req, '$filter') // return;

    return if $self->option('ignore_filter');

    my ($code, $used) = eval { odata_filter($text) };

    return (undef, $self->graph_error(400, 'BadRequest',
                                      "Invalid filter clause: $@"))
        if !$code;

    return (undef, $self->graph_error(400, 'Request_UnsupportedQuery',
                                      'Unsupported Query.'))
        if ($used->{ne} || $used->{not})
           && !(_eventual($req)
                && (PKI::Sim::App::arg($req, '$count') // '') eq 'true');

    return $text;
}

sub _list_page {
    my ($self, $req, $l) = @_;

    my $age = $self->option('skip_token_age');

    return $self->graph_error(400, 'Directory_ExpiredPageToken',
                              'The specified page token value has expired '
                              . 'and can no longer be included in your '
                              . 'request.')
        if $l->{made} && $age && $self->now - $l->{made} > $age;
    return $self->graph_error(400, 'BadRequest', '') if $l->{bug};

    my $objects = $self->objects($l->{kind});
    my $at = $self->view_time;
    my $text = $self->writer($l->{kind}, $l->{select});
    my ($items, $next) = defined $l->{filter}
        ? $self->_filtered($objects, $l, $text, $at)
        : $objects->page($l->{from}, $l->{top}, $l->{kind} . '?'
                         . ($l->{select} // '-'), $text, $at);

    my $head = $self->context_of($req, $l->{version}, $l->{path},
                               $l->{select});
    $head .= qq(,"\@odata.count":$objects->{count})
        if $l->{count} && !$l->{made};

    my %to = %$l;
    my $bug = !defined $next && $l->{kind} eq 'riskyUser'
              && $self->option('risky_last_page_bug') && length $items
              && $self->_full_page($items, $l->{top});

    @to{qw(from bug)} = ($next, $bug ? 1 : 0);

    return $self->page_of($head, $items, nextLink =>
        defined $next || $bug
        ? $self->link_to($req, $l->{target}, 'skiptoken', \%to) : undef);
}

sub _full_page {
    my ($self, $items, $top) = @_;
    return @{ from_json("[$items]") } == $top;
}

# by id and the like at once, otherwise one after the other

sub _filtered {
    my ($self, $objects, $l, $text, $at) = @_;

    my ($matches) = odata_filter($l->{filter});
    my ($field) = $l->{filter} =~ /^\s*(id|deviceId|userPrincipalName
                                        |azureADDeviceId)\s+eq\s/x;
    my @parts = split /\s+or\s+/, $l->{filter};

    if ($field && @parts == grep { /^\s*$field eq '([^']*)'\s*$/ } @parts) {
        my @found = map {
            my ($value) = /'(.*)'/;
            $field eq 'id' ? $objects->get($value, $at)
                           : $objects->find($field, $value, $at)
        } @parts;

        return (join(',', map { $text->($_) } @found), undef);
    }

    return $objects->page($l->{from}, $l->{top},
                          "$l->{kind}?" . ($l->{select} // '-')
                          . "&$l->{filter}",
                          sub { $matches->($_[0]) ? $text->($_[0])
                                                  : undef }, $at);
}

# every other answer comes from a replica that is behind

sub view_time {
    my ($self) = @_;

    my $lag = $self->option('replicas') or return;

    return $self->{replica}++ % 2 ? $self->now - $lag : undef;
}


# one object

sub one {
    my ($self, $req, $kind, $fields, $version, $id) = @_;

    return $self->graph_error(404, 'Request_ResourceNotFound',
                              "Resource '$id' does not exist or one of its "
                              . 'queried reference-property objects are not '
                              . 'present.')
        unless $fields;

    my $select = PKI::Sim::App::arg($req, '$select');
    my $text = $self->writer($kind, $select)->($fields);
    my $head = $self->context_of($req, $version, $collection{$kind}, $select,
                               '/$entity');

    return $self->graph_answer(200, "$head," . substr $text, 1);
}

sub devices {
    my ($self, $req, $version, $rest) = @_;

    return $self->list($req, kind => 'device', version => $version,
                       path => 'devices', max => $list_max,
                       default => $self->option('list_page'))
        if $rest eq '';
    return $self->delta($req, 'device', $version)
        if $rest =~ m{^/(microsoft\.graph\.)?delta(\(\))?$};

    my $objects = $self->objects('device');
    my $at = $self->view_time;

    return $self->one($req, 'device', scalar $objects->find('deviceId', $1,
                                                            $at),
                      $version, $1)
        if $rest =~ m{^\(deviceId='([^']*)'\)$};
    return $self->one($req, 'device', scalar $objects->get($1, $at),
                      $version, $1)
        if $rest =~ m{^/([^/]+)$};

    return;
}

sub users {
    my ($self, $req, $version, $rest) = @_;

    return $self->list($req, kind => 'user', version => $version,
                       path => 'users', max => $list_max,
                       default => $self->option('list_page'))
        if $rest eq '';
    return $self->delta($req, 'user', $version)
        if $rest =~ m{^/(microsoft\.graph\.)?delta(\(\))?$};

    my ($id) = $rest =~ m{^\('(.+)'\)$} ? $1 =~ s/''/'/gr
               : $rest =~ m{^/([^/\$][^/]*)$} ? $1 : return;
    my $objects = $self->objects('user');
    my $at = $self->view_time;

    return $self->one($req, 'user',
                      $id =~ /@/ ? scalar $objects->find('userPrincipalName',
                                                         $id, $at)
                                 : scalar $objects->get($id, $at),
                      $version, $id);
}

sub risky_users {
    my ($self, $req, $version, $rest) = @_;

    return $self->graph_error(403, 'Forbidden', 'Your tenant is not licensed '
                              . 'for this feature.')
        unless $self->option('risky_licence');

    my $rate = $self->option('risky_rate');

    if ($rate) {
        my $last = $self->{risky_last} // 0;

        $self->{risky_last} = $self->now;
        return $self->error_answer({ status => 429 }, $req)
            if $self->now - $last < 1 / $rate;
    }

    return $self->list($req, kind => 'riskyUser', version => $version,
                       path => $collection{riskyUser}, max => 500,
                       default => $self->option('risky_page'))
        if $rest eq '';

    return unless $rest =~ m{^/([^/]+)$};
    return $self->one($req, 'riskyUser',
                      scalar $self->objects('riskyUser')->get($1), $version,
                      $1);
}

sub deleted_items {
    my ($self, $req, $version, $rest) = @_;

    if ($req->{method} eq 'POST' && $rest =~ m{^/([^/]+)/restore$}) {
        for my $kind (qw(device user)) {
            my $fields = $self->restore($kind, $1) or next;
            return $self->one($req, $kind, $fields, $version, $1);
        }
    }

    if ($rest =~ m{^/microsoft\.graph\.(device|user)$}) {
        my ($kind, $all) = ($1, [$self->objects($1)->deleted]);
        my $link = $self->link_of($req) || {
            from => 0, select => PKI::Sim::App::arg($req, '$select'),
            top => PKI::Sim::App::arg($req, '$top') // 100,
        };

        return $self->graph_error(400, 'Request_UnsupportedQuery',
                                  'Invalid page size.')
            if $link->{top} !~ /^[1-9]\d*$/ || $link->{top} > $list_max;

        my $end = $link->{from} + $link->{top};
        my $text = $self->writer($kind, $link->{select});
        my @page = grep { defined } @$all[$link->{from} .. $end - 1];

        return $self->page_of(
            $self->context_of($req, $version, 'directoryObjects'),
            join(',', map { $text->($_) } @page),
            nextLink => $end < @$all
                        ? $self->link_to($req, $req->{path}, 'skiptoken',
                                         { %$link, from => $end }) : undef);
    }

    return unless $rest =~ m{^/([^/]+)$};

    for my $kind (qw(device user)) {
        my $fields = $self->objects($kind)->deleted_object($1) or next;
        return $self->one($req, $kind, $fields, $version, $1);
    }

    return $self->one($req, 'device', undef, $version, $1);
}


1;
