-- level: warning
-- finds: Functions that everybody may execute. An error in a definer function.
-- advice: Run revoke execute on function ... from public, and grant it to the roles that are meant.
select f.name as object,
       format('%s may be executed by public, and so by every role there is or will be.', f.name) as sentence,
       case when f.definer then 'error' else 'warning' end as level
  from functions f
 where exists (select from aclexplode(f.acl) a where a.grantee = 0 and a.privilege_type = 'EXECUTE')
