-- level: warning
-- finds: Sequences that a client may read or advance; they tell how many rows there are.
-- advice: Revoke all on the sequence from the client; an identity column needs no grant.
select r.name as object,
       format('%s may %s sequence %s.', c.name, string_agg(p.privilege, ', ' order by p.privilege), r.name) as sentence
  from relations r
 cross join clients c
 cross join (values ('usage'), ('select'), ('update')) as p (privilege)
 where r.kind = 'S'
   -- Named as a privilege of sequences only where it is one; the planner may ask in any order.
   and case when r.kind = 'S' then has_sequence_privilege(c.oid, r.oid, p.privilege) end
 group by r.name, c.name
