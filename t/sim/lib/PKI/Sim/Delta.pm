package PKI::Sim::Delta;

# Delta queries of Graph.  A round is a chain of pages, from the beginning or
# from the mark of an earlier round; its last page has the next mark.  A mark
# is a version of the objects' journal and stays good for as many days as the
# options say.

use strict;
use warnings;

use PKI::Sim::Entra qw(collection);
use PKI::Sim::Filter qw(odata_filter);
use PKI::Sim::JSON;


sub delta_defaults {
    return (
        delta_page => 200,
        delta_empty_pages => 0,     # before the second page of each round
        delta_shuffle => json_false,
        delta_lag => 0,             # seconds until a change is in a round
        delta_replay => 0,          # seconds that a round looks back again
        delta_minimal => json_false,
        delta_token_age => 7 * 86400,
        expiry_form => 'A',         # A, B, C, D
        expiry_code => undef,       # another spelling; "nested" for inner
        omit_removed => 0,          # so many; true for all
        removed_in_initial => json_false,
    );
}

sub delta {
    my ($self, $req, $kind, $version) = @_;

    my $l = $self->link_of($req);
    my $token = PKI::Sim::App::arg($req, '$deltatoken');
    my $select = PKI::Sim::App::arg($req, '$select');
    my $objects = $self->objects($kind);
    my $to = $objects->version_at($self->now - $self->option('delta_lag'));

    return $self->_round($req, $l) if $l && $l->{round};

    if ($l) {
        return $self->expired($req, $l->{target})
            if $self->now - $l->{made} > $self->option('delta_token_age');

        return $self->_round($req, $self->_since($req, $objects, $l));
    }

    return $self->graph_error(400, 'Request_BadRequest',
                              'Badly formed token.')
        if defined PKI::Sim::App::arg($req, '$skiptoken')
           || length($token // '') && lc $token ne 'latest';
    return $self->graph_error(501, 'NotImplemented',
                              'The property is not supported by delta.')
        if ($select // '') =~ /\b(signInActivity|memberOf)\b/;

    $l = { round => 1, kind => $kind, version => $version, from => 0,
           select => $select, to => $to, page => 0,
           filter => PKI::Sim::App::arg($req, '$filter'),
           target => "/$version/" . collection($kind) . '/delta' };
    $l->{from} = undef if defined $token && lc $token eq 'latest';
    $l->{slots} = [$objects->removed_slots]
        if defined $l->{from} && $self->option('removed_in_initial');

    return $self->_round($req, $l);
}

# a round from the mark of an earlier one

sub _since {
    my ($self, $req, $objects, $mark) = @_;

    my $at = $self->view_time;
    my $seen = $self->now - $self->option('delta_lag');
    my $to = $objects->version_at(defined $at && $at < $seen ? $at : $seen);
    my $from = $mark->{to};

    if (my $back = $self->option('delta_replay')) {
        my $again = $objects->version_at($self->now - $back);
        $from = $again if $again < $from;
    }

    $to = $from if $to < $from;

    my $slots = $objects->since($from, $to);

    @$slots = sort { rand() <=> 0.5 } @$slots
        if $self->option('delta_shuffle');

    return { %$mark, round => 1, from => undef, slots => $slots, at => $at,
             since => $from, to => $to > $mark->{to} ? $to : $mark->{to},
             page => 0, done => 0,
             minimal => $self->option('delta_minimal')
                        || ($req->{headers}{prefer} // '')
                           =~ /return=minimal/ };
}

# One page of a round: of the objects there are, from a slot on; then of the
# slots that are listed.

sub _round {
    my ($self, $req, $l) = @_;

    my $objects = $self->objects($l->{kind});
    my $n = $self->option('delta_page');
    my %to = (%$l, page => $l->{page} + 1);
    my $head = $self->context_of($req, $l->{version},
                               collection($l->{kind}),
                               $l->{select}, '/$delta');
    my ($items, $more) = ('', 1);

    if ($l->{page} && $l->{page} <= $self->option('delta_empty_pages')) {
        # nothing, and yet not the end

    } elsif (defined $l->{from}) {
        ($items, $to{from}) = $self->_initial($objects, $l, $n);
        $more = defined $to{from} || @{ $l->{slots} || [] };

    } else {
        my $done = $l->{done} || 0;
        my $slots = $l->{slots} || [];
        my $end = $done + $n < @$slots ? $done + $n : @$slots;

        $items = join ',', map { $self->_change($objects, $l, $_) }
                           @$slots[$done .. $end - 1];
        $to{done} = $end;
        $more = $end < @$slots;
    }

    return $self->page_of($head, $items, $more
        ? (nextLink => $self->link_to($req, $l->{target}, 'skiptoken', \%to))
        : (deltaLink => $self->link_to($req, $l->{target}, 'deltatoken', {
              map { $_ => $l->{$_} } qw(kind version select filter to target)
          })));
}

sub _initial {
    my ($self, $objects, $l, $n) = @_;

    my $text = $self->writer($l->{kind}, $l->{select});
    my $name = "$l->{kind}?" . ($l->{select} // '-');

    return $objects->page($l->{from}, $n, $name, $text)
        unless defined $l->{filter};

    my ($matches) = odata_filter($l->{filter});

    return $objects->page($l->{from}, $n, "$name&$l->{filter}", sub {
        $matches->($_[0]) ? $text->($_[0]) : undef });
}

# what a round says of one object

sub _change {
    my ($self, $objects, $l, $slot) = @_;

    my $names = $self->names($l->{kind}, $l->{select});
    my ($fields, $removed, $changed) =
        $objects->fate($slot, $l->{since} // 0, $names, $l->{at});

    return unless $fields;
    return if defined $l->{filter}
              && !(odata_filter($l->{filter}))[0]->($fields);

    if ($removed) {
        return if $self->_omitted;
        return to_json({ id => $fields->{id},
                         '@removed' => { reason => $removed } });
    }

    return $self->writer($l->{kind}, $l->{select})->($fields)
        unless $changed && $l->{minimal};

    return to_json({ map { $_ => $fields->{$_} } 'id', @$changed });
}

sub _omitted {
    my ($self) = @_;

    my $n = $self->option('omit_removed');

    return 0 unless $n;
    return 1 if ref $n;

    $self->{options}{omit_removed}--;

    return 1;
}

# forms of section 2.4 of the contract

sub expired {
    my ($self, $req, $path, $form) = @_;

    $form ||= $self->option('expiry_form');

    my $code = $self->option('expiry_code');
    my $message = 'The sync state generation is not found; delta token is '
                  . 'expired and data must be synchronized again';

    return $self->graph_error(400, 'Request_BadRequest', $message)
        if $form eq 'D';

    my $r = ($code // '') eq 'nested'
        ? $self->graph_error(400, 'BadRequest', $message,
                             { code => 'syncStateNotFound' })
        : $self->graph_error(400, $code // ($form eq 'A'
              ? 'syncStateNotFound' : 'SyncStateNotFound'), $message);

    $r->{status} = 410 if $form =~ /[BC]/;
    push @{ $r->{headers} }, Location => "$req->{base}$path?\$deltatoken="
        if $form eq 'B';

    return $r;
}


1;
