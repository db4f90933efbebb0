package PKI::Sim::Jamf;

# Jamf Pro: both ways to a token, computers, mobile devices and users in the
# versions that a release has, the classic users, webhooks; and as a cluster
# whose nodes lag.  Lists are by offset over what is there at the moment, as
# with the original, so that a deletion makes a reader skip a row.

use strict;
use warnings;

use parent qw(PKI::Sim::App);

use List::Util qw(min);
use MIME::Base64 qw(decode_base64);
use POSIX qw(ceil strftime);

use Mojo::UserAgent;
use PKI::Sim::Filter qw(rsql_filter);
use PKI::Sim::JSON;
use PKI::Sim::JamfRecords;
use PKI::Sim::Login qw(guid random_text);

my $hook_limit = 5;         # seconds


sub defaults {
    return (
        client_id => '22222222-3333-4444-8555-666666666666',
        client_secret => 'jamf~S3cret+/=',
        user => 'api', password => 'pa:ss word',
        token_lifetime => 60,       # seconds; of API clients
        user_token_lifetime => 1800,
        token_reply => {},          # members that replace those of a reply
        token_without => [],
        versions => [1, 2, 3, 4],   # of computers-inventory
        users_api => json_true,     # api/v1/users, from 11.26
        exceptions => json_true,    # exception-handling, from 11.29.1
        cap => 2000,                # of page-size
        sort_ids => 'numeric',      # or text
        absent_sections => json_false,      # not null
        not_there => 'html',        # or json: the 404 of an unknown path
        nodes => 1,
        lag => 60,                  # seconds of all nodes but the first
        drift => 0,                 # added to totalCount from page 1 on
        denied => [],
        unauthorized_code => 'INVALID_TOKEN',
    );
}

# soft: out of a backup

sub kinds {
    my ($self) = @_;

    my %numbered = (bulk_id => \&bulk_id, soft => sub { 1 },
                    find_bulk => \&bulk_number);

    return (
        computer => { %numbered, fresh => \&fresh_computer,
                      bulk => \&bulk_computer },
        mobileDevice => { %numbered, fresh => \&fresh_mobile,
                          bulk => \&bulk_mobile },
        jamfUser => { %numbered, fresh => sub {
                          my ($f, $n) = @_;
                          $f->{id} = '' . ($f->{id} // $n + 1);
                          $f->{username} //= "user$f->{id}";
                      },
                      bulk => sub { { id => bulk_id(@_),
                                      username => "user$_[1]" } } },
        webhook => { fresh => sub {
                         my ($f, $n) = @_;
                         %$f = (id => $n + 1, name => "hook$n", %$f);
                     } },
    );
}

sub list_member { return 'results' }

sub stats {
    my ($self) = @_;
    return (token_requests => $self->{token_requests} || 0);
}


# errors

sub api_error {
    my ($self, $status, $code, $text, $field, $id) = @_;

    return $self->answer($status, { httpStatus => $status, errors => [{
        code => $code, field => $field, description => $text, id => $id }] });
}

sub error_answer {
    my ($self, $do, $req) = @_;

    my $status = $do->{status};

    return $self->_rfc6749('invalid_client')
        if $req->{path} =~ m{/oauth/token$} && $status < 500;
    return $self->_unauthorized if $status == 401;
    return $self->html($status, "$status Bad Gateway") if $status >= 502;

    return $self->api_error($status, $do->{code} // 'ERROR',
                            'An error has occurred.');
}

sub _unauthorized {
    my ($self) = @_;
    return $self->api_error(401, $self->option('unauthorized_code'),
                            'Unauthorized');
}

sub _not_there {
    my ($self) = @_;

    return $self->html(404, '404 Not Found')
        if $self->option('not_there') eq 'html';
    return $self->api_error(404, 'NOT_FOUND', 'Not found');
}

sub _rfc6749 {
    my ($self, $error) = @_;

    return $self->answer(400, {
        error => $error,
        error_description => 'OAuth 2.0 Parameter: grant_type',
        error_uri => 'https://datatracker.ietf.org/doc/html/rfc6749'
                     . '#section-5.2' });
}


# the way

sub route {
    my ($self, $req) = @_;

    my $path = PKI::Sim::App::unescape($req->{path});

    return $self->_oauth($req) if $path =~ m{^/api(/v1)?/oauth/token$};
    return $self->_auth($req, $1) if $path =~ m{^/api/v1/auth((?:/.*)?)$};
    return $self->_not_there if $path !~ m{^/(api|JSSResource)/};
    return $self->_unauthorized unless $self->_token($req);

    for (@{ $self->option('denied') }) {
        return $self->api_error(403, 'INVALID_PRIVILEGE', 'Forbidden')
            if $path =~ /$_/;
    }

    my $node = $self->_node($req);
    my $at = $node ? $self->now - $self->option('lag') : undef;
    my $r = ($req->{method} eq 'GET' && $self->_resource($req, $path, $at))
            || $self->_not_there;

    push @{ $r->{headers} }, 'Set-Cookie' => "jpro-ingress=node$node; Path=/"
        if $self->option('nodes') > 1;

    return $r;
}

# the node that a cookie names, or one after the other

sub _node {
    my ($self, $req) = @_;

    my $nodes = $self->option('nodes');

    return 0 if $nodes < 2;
    return $1 % $nodes
        if ($req->{headers}{cookie} // '') =~ /\bjpro-ingress=node(\d+)/;
    return $self->{next_node}++ % $nodes;
}

sub _resource {
    my ($self, $req, $path, $at) = @_;

    if ($path =~ m{^/api/v(\d)/computers-inventory(?:/(\d+))?$}) {
        my ($v, $id) = ($1, $2);

        return unless grep { $_ == $v } @{ $self->option('versions') };

        my $make = sub { computer($self, $v, _sections($req), shift) };

        return defined $id ? $self->_one($req, 'computer', $id, $make, $at)
                           : $self->_list($req, 'computer', $make, $at, "v$v",
                                          'general.name');
    }

    if ($path eq '/api/v2/mobile-devices/detail') {
        return $self->_list($req, 'mobileDevice', sub {
            mobile($self, _sections($req), shift) }, $at, 'detail');
    }

    return $self->_list($req, 'mobileDevice', \&mobile_short, $at, 'short')
        if $path eq '/api/v2/mobile-devices';
    return $self->_one($req, 'mobileDevice', $1,
                       $2 ? \&mobile_flat : \&mobile_short, $at)
        if $path =~ m{^/api/v2/mobile-devices/(\d+)(/detail)?$};

    return $self->_users($req, $1, $at)
        if $path =~ m{^/api/v1/users(?:/(\d+))?$}
           && $self->option('users_api');
    return $self->_classic_users($req, $1, $at)
        if $path =~ m{^/JSSResource/users((?:/.+)?)$};

    return;
}


# tokens

sub _form {
    my ($req) = @_;

    return map { my ($k, $v) = map { PKI::Sim::App::unescape(tr/+/ /r) }
                               split /=/, $_, 2;
                 ($k // '', $v // '') } split /&/, $req->{body};
}

sub _new_token {
    my ($self, $lifetime, $kind) = @_;

    my $token = 'eyJhbGciOiJSUzI1NiJ9.' . random_text(600);

    $self->{state}{tokens}{$token} = { kind => $kind,
                                       expires => $self->now + $lifetime };
    return $token;
}

sub _token {
    my ($self, $req) = @_;

    my ($token) = ($req->{headers}{authorization} // '')
                  =~ /^Bearer\s+(\S+)$/ or return;
    my $t = $self->{state}{tokens}{$token} or return;

    return $t->{expires} > $self->now ? $t : ();
}

sub expire_token {
    my ($self, $req) = @_;

    my $t = $self->_token($req) or return;

    $t->{expires} = 0;
}

sub _reply_with {
    my ($self, %reply) = @_;

    %reply = (%reply, %{ $self->option('token_reply') });
    delete @reply{ @{ $self->option('token_without') } };

    return $self->answer(200, \%reply);
}

sub _oauth {
    my ($self, $req) = @_;

    my %f = _form($req);

    $self->{token_requests}++;

    return $self->_not_there if $req->{method} ne 'POST';
    return $self->_rfc6749('unsupported_grant_type')
        if ($f{grant_type} // '') ne 'client_credentials';
    return $self->_rfc6749('invalid_client')
        if ($f{client_id} // '') ne $self->option('client_id')
           || ($f{client_secret} // '') ne $self->option('client_secret');

    my $lifetime = $self->option('token_lifetime');

    return $self->_reply_with(
        access_token => $self->_new_token($lifetime, 'client'),
        scope => 'api-role:1', token_type => 'Bearer',
        expires_in => $lifetime);
}

sub _auth {
    my ($self, $req, $verb) = @_;

    my $post = $req->{method} eq 'POST';
    my $t = $self->_token($req);

    if ($verb eq '/token' && $post) {
        my $given = ($req->{headers}{authorization} // '') =~ /^Basic (\S+)$/
                    ? decode_base64($1) : '';
        my $wanted = $self->option('user') . ':' . $self->option('password');

        $self->{token_requests}++;
        utf8::encode($wanted);

        return $self->_unauthorized if $given ne $wanted;
        return $self->_user_token;
    }

    return $self->_unauthorized unless $t;

    if ($verb eq '/keep-alive' && $post) {
        return $self->_unauthorized if $t->{kind} ne 'user';
        $t->{expires} = 0;
        return $self->_user_token;
    }

    if ($verb eq '/invalidate-token' && $post) {
        $t->{expires} = 0;
        return { status => 204 };
    }

    return $self->answer(200, { account => { username =>
                                             $self->option('user') },
                                accountGroups => [], sites => [] })
        if $verb eq '' && !$post;
    return $self->_not_there;
}

sub _user_token {
    my ($self) = @_;

    my $lifetime = $self->option('user_token_lifetime');
    my $end = $self->now + $lifetime;

    return $self->_reply_with(
        token => $self->_new_token($lifetime, 'user'),
        expires => strftime('%Y-%m-%dT%H:%M:%S', gmtime $end)
                   . sprintf('.%03dZ', ($end - int $end) * 1000));
}


# lists

sub _sections {
    my ($req) = @_;

    my @asked = map { split /,/ } @{ $req->{args}{section} || ['GENERAL'] };

    return { map { uc() => 1 } @asked };
}

sub _one {
    my ($self, $req, $kind, $id, $make, $at) = @_;

    my $f = $self->objects($kind)->get($id, $at)
        or return $self->api_error(404, 'INVALID_ID', 'No such object.',
                                   'id', $id);

    return $self->api_error(500, 'INTERNAL_ERROR', 'The record is damaged.')
        if $f->{_bad} && $kind eq 'computer';
    return $self->answer(200, $make->($f));
}

# what an error of a page is: one record that cannot be read

sub _list {
    my ($self, $req, $kind, $make, $at, $name) = @_;

    my ($page, $size, $slots, $error) = $self->_window($req, $kind, $at);

    return $error if $error;

    my $objects = $self->objects($kind);
    my $total = @$slots;
    my $from = $page * $size;
    my @window = $from < $total
                 ? @$slots[$from .. min($from + $size, $total) - 1] : ();
    my @bad = grep { my $o = $objects->{slots}[$_];
                     $o && $o->{fields}{_bad} } @window;
    my $lenient = $self->option('exceptions')
                  && uc(PKI::Sim::App::arg($req, 'exception-handling') // '')
                     eq 'LENIENT';

    return $self->api_error(500, 'INTERNAL_ERROR', 'A record is damaged.')
        if @bad && !$lenient;

    my $sections = join ',', sort keys %{ _sections($req) };
    my $write = sub {
        join ',', map { to_json($make->($objects->fields_at($_, $at))) }
                  @window;
    };
    my $text = defined $at || $req->{args}{filter} ? $write->()
               : $objects->kept("$name/$sections/$page/$size/"
                                . $self->option('sort_ids')
                                . $self->option('absent_sections'),
                                \@window, $write);

    $total += $self->option('drift') if $page;

    return $self->answer(200, qq({"totalCount":$total,"results":[$text]}));
}

# (page, its size, slots of all, answer with an error or undef)

sub _window {
    my ($self, $req, $kind, $at, $max) = @_;

    my $page = PKI::Sim::App::arg($req, 'page') // 0;
    my $size = PKI::Sim::App::arg($req, 'page-size') // 100;
    my $filter = PKI::Sim::App::arg($req, 'filter');
    my $objects = $self->objects($kind);
    my $sort = PKI::Sim::App::arg($req, 'sort') // '';

    return (undef, undef, undef, $self->api_error(400, 'INVALID_FIELD',
                                                  'Not a number.', 'page'))
        if "$page$size" !~ /^\d+$/ || !$size;

    $size = min($size, $max // $self->option('cap'));

    my $order = $sort =~ /^(id|mobileDeviceId)(:asc)?$/
                ? $self->option('sort_ids') eq 'text' ? 2 : 1 : 0;
    my $slots = $objects->living($order, $at);

    if (defined $filter) {
        my $matches = eval { rsql_filter($filter) };

        return (undef, undef, undef, $self->api_error(400, 'INVALID_FILTER',
                                                      "$@", 'filter'))
            unless $matches;

        $slots = [grep { $matches->(_filterable($kind,
                             $objects->fields_at($_, $at))) } @$slots];
    }

    return ($page, $size, $slots);
}

# the names that a filter has for the flat fields

sub _filterable {
    my ($kind, $f) = @_;

    return { %$f, mobileDeviceId => $f->{id} } if $kind ne 'computer';

    return { %$f, general => { remoteManagement => { managed =>
                                                     $f->{managed} },
                               map { $_ => $f->{$_} } qw(name managementId
                                                         reportDate) },
             userAndLocation => { map { $_ => $f->{$_} } qw(username
                                                            email) } };
}


# users, new and classic

sub _user {
    my ($f) = @_;

    return { realname => '', email => '', phone => '', position => '',
             managedAppleId => '', enableCustomPhotoUrl => json_false,
             customPhotoUrl => '', %$f, id => "$f->{id}" };
}

sub _users {
    my ($self, $req, $id, $at) = @_;

    return $self->_one($req, 'jamfUser', $id, \&_user, $at) if defined $id;

    $req->{args}{sort} ||= ['id:asc'];

    my ($page, $size, $slots, $error) =
        $self->_window($req, 'jamfUser', $at, 1000);

    return $error if $error;

    my $objects = $self->objects('jamfUser');
    my $total = @$slots;
    my $end = min(($page + 1) * $size, $total);
    my @results = map { _user($objects->fields_at($_, $at)) }
                  @$slots[$page * $size .. $end - 1];

    return $self->answer(200, {
        page => $page + 0, pageSize => $size + 0, totalCount => $total,
        totalPages => ceil($total / $size), hasPrevious => json_bool($page),
        hasNext => json_bool($end < $total), results => \@results });
}

sub _classic_users {
    my ($self, $req, $rest, $at) = @_;

    my $objects = $self->objects('jamfUser');
    my $json = ($req->{headers}{accept} // '') =~ m{application/json};
    my $f;

    if ($rest eq '') {
        my @all = map { { id => $_->{id} + 0, name => $_->{username} } }
                  $objects->all($at);

        return $self->answer(200, { users => \@all }) if $json;
        return _xml('<users><size>' . @all . '</size>'
                    . join('', map { "<user><id>$_->{id}</id>"
                                     . "<name>$_->{name}</name></user>" }
                               @all) . '</users>');
    }

    $f = $objects->get($1, $at) if $rest =~ m{^/id/(\d+)$};
    $f = $objects->find('username', $1, $at) if $rest =~ m{^/name/(.+)$};
    $f = $objects->find('email', $1, $at) if $rest =~ m{^/email/(.+)$};

    return $self->html(404, 'Not Found') unless $f;
    return _xml("<user><id>$f->{id}</id><name>$f->{username}</name></user>")
        unless $json;

    my @links = map { { id => $_->{id} + 0, name => $_->{name} } }
                grep { $_->{username} eq $f->{username} }
                $self->objects('computer')->all($at);

    return $self->answer(200, { user => {
        id => $f->{id} + 0, name => $f->{username},
        full_name => $f->{realname} // '', email => $f->{email} // '',
        email_address => $f->{email} // '', phone_number => '',
        position => '', ldap_server => { id => -1, name => 'None' },
        extension_attributes => [], sites => [],
        links => { computers => \@links, mobile_devices => [],
                   peripherals => [], vpp_assignments => [],
                   total_vpp_code_count => 0 } } });
}

sub _xml {
    my ($text) = @_;

    return { status => 200, headers => ['Content-Type' => 'text/xml'],
             body => qq(<?xml version="1.0" encoding="UTF-8"?>$text) };
}


# webhooks

sub changed {
    my ($self, $kind, $how, $f, $old) = @_;

    my $class = $kind eq 'computer' ? 'Computer'
                : $kind eq 'mobileDevice' ? 'MobileDevice' : return;

    return $self->_hook('RestAPIOperation', {
        authorizedUsername => 'api', objectID => $f->{id} + 0,
        objectName => $f->{name}, objectTypeName => $class,
        operationSuccessful => json_true, restAPIOperationType => 'DELETE',
    }) if $how eq 'deleted';

    my $event = $how eq 'created'
        ? $kind eq 'computer' ? 'ComputerAdded' : 'MobileDeviceEnrolled'
        : $kind eq 'mobileDevice' && $old && $old->{managed} && !$f->{managed}
        ? 'MobileDeviceUnEnrolled' : "${class}InventoryCompleted";

    $self->_hook($event, {
        deviceName => $f->{name}, jssID => $f->{id} + 0, udid => $f->{udid},
        serialNumber => '', username => $f->{username}, room => '',
        userDirectoryID => '-1', managementId => $f->{managementId} });
}

# a webhook has url; and event, header {name, value}, where it is so

sub _hook {
    my ($self, $event, $what) = @_;

    my $n = 0;

    for my $hook ($self->objects('webhook')->all) {
        next if $hook->{event} && $hook->{event} ne $event;

        my $agent = Mojo::UserAgent->new(insecure => 1, max_redirects => 0)
                    ->request_timeout($hook_limit);
        my %headers = ('Content-Type' => 'application/json');

        $headers{ $hook->{header}{name} } = $hook->{header}{value}
            if $hook->{header};
        $n++;

        $agent->post($hook->{url}, \%headers, to_json({
            webhook => { id => $hook->{id}, name => $hook->{name},
                         webhookEvent => $event,
                         eventTimestamp => int $self->now * 1000 },
            event => $what,
        }) => sub {
            my ($ua, $tx) = @_;

            push @{ $self->{sent} }, { event => $event, url => $hook->{url},
                                       status => $tx->res->code // 0 };
            undef $agent;
        });
    }

    return $n;
}


# control

sub control {
    my ($self, $req, $what, $in) = @_;

    return { token => $self->_new_token($in->{lifetime} // 3600, 'client') }
        if $what eq 'token' && $req->{method} eq 'POST';
    return $self->{sent} || [] if $what eq 'sent';
    return { sent => $self->_hook($in->{event}, $in->{what} || {}) }
        if $what eq 'notify';

    return;
}

sub prepare { }

sub demo {
    my ($self) = @_;

    $self->add('computer', { id => "$_->[0]", name => "DEMO Mac $_->[0]",
                             username => $_->[1], managementId => sprintf
                                 'de300000-0000-4000-8000-%012d', $_->[0],
                             email => "$_->[1]\@demo.example" })
        for [4, 'ann'], [5, 'bob'];
    $self->add('mobileDevice', { id => '7', name => 'DEMO iPad',
                                 username => 'ann' });
    $self->add('jamfUser', { id => $_->[0], username => $_->[1] })
        for [17, 'ann'], [18, 'bob'];
}


1;
