// The script of the report's page, third part: the list of decisions with its filters, and the moment that is looked at.

extension ReportPage {
    /// The last part of the script.
    static let listScript = #"""
        const filter={kinds:new Set(),peer:'',text:'',from:-1,to:-1,limit:150},chips=new Map();
        function filters(){const box=$('kinds'),counts=new Map();
         for(const l of D.lines)counts.set(l[2],(counts.get(l[2])||0)+1);
         for(const[k,n]of[...counts].sort((a,b)=>b[1]-a[1])){const b=make('button','chip',k+' '+count(n));
          b.setAttribute('aria-pressed','false');
          b.onclick=()=>{const on=!filter.kinds.has(k);if(on)filter.kinds.add(k);else filter.kinds.delete(k);
           b.setAttribute('aria-pressed',String(on));filter.limit=150;show()};
          chips.set(k,b);box.append(b)}
         const sel=$('peer');sel.append(new Option('every peer',''));
         for(const p of D.peers)sel.append(new Option(called(p.id),p.id));
         sel.onchange=()=>{filter.peer=sel.value;filter.limit=150;show()};
         $('text').oninput=e=>{filter.text=e.target.value.toLowerCase();filter.limit=150;show()};
         $('more').onclick=()=>{filter.limit+=500;show()};
         $('clear').onclick=()=>{filter.kinds.clear();filter.peer=filter.text='';filter.from=filter.to=-1;
          filter.limit=150;sel.value='';$('text').value='';
          for(const b of chips.values())b.setAttribute('aria-pressed','false');show()}}
        function matches(l){const f=filter;
         return (!f.kinds.size||f.kinds.has(l[2]))&&(!f.peer||l[3].includes(+f.peer))&&
          (!f.text||l[4].toLowerCase().includes(f.text)||l[2].toLowerCase().includes(f.text))&&
          (f.to<0||(l[0]>=f.from&&l[0]<=f.to))}
        function show(){const f=filter,found=D.lines.filter(matches),out=$('lines');out.replaceChildren();
         let before='';
         for(const l of found.slice(0,f.limit)){const t=sec(l[0]),r=make('div','line'+(t===before?' same':''));
          r.title='event '+l[1];before=t;
          put(r,make('span','t',t),make('span','k',l[2]),make('span','x',l[4]));out.append(r)}
         $('count').textContent=count(found.length)+' of '+count(D.lines.length)+
          (D.leftOut?' (and '+count(D.leftOut)+' from the middle that this page does not hold)':'')+
          (f.to>=0?', between '+sec(Math.max(0,f.from))+' and '+sec(f.to):'');
         $('clear').hidden=!(f.kinds.size||f.peer||f.text||f.to>=0);
         $('more').hidden=found.length<=f.limit}
        // The moment that is looked at: a line through every strip of time, and in words below.
        function moment(t){t=Math.max(0,Math.min(N,t));
         $('main').style.setProperty('--x',t/N);$('main').classList.add('cursor');
         $('moment').value=String(t);$('when').textContent=sec(t);
         const now=talkers.filter(p=>value(p.levels,t)<60&&t<p.levels.length*D.bucket).map(p=>p.id);
         let low=0,high=D.lines.length;
         while(low<high){const m=(low+high)>>1;if(D.lines[m][0]<=t)low=m+1;else high=m}
         const text=[now.length?'speaking: '+now.slice(0,8).join(', ')+(now.length>8?' …':''):'nobody speaks'];
         if(low)text.push(D.lines[low-1][4]);
         $('then').textContent=text.join(' · ');$('then').title=$('then').textContent;
         $('moment').setAttribute('aria-valuetext',sec(t)+', '+text.join(', '))}
        function around(){const t=+$('moment').value;let w=Math.max(D.bucket,N/60);
         // Where nothing was decided, as far away as the nearest that was.
         while(w<N&&!D.lines.some(l=>l[0]>=t-w&&l[0]<=t+w))w*=2;
         filter.from=t-w;filter.to=t+w;filter.limit=150;show();
         $('decisions').scrollIntoView({behavior:matchMedia('(prefers-reduced-motion:reduce)').matches?'auto':'smooth'})}
        function cursor(){const m=$('moment');m.max=String(N);m.step=String(Math.max(1,Math.round(D.bucket/2)));
         m.oninput=()=>moment(+m.value);$('around').onclick=around;
         $('then').textContent='Click into a timeline, or move the slider, to look at a moment.'}
        facts();difference();whatIf();speech();receivers();drops();filters();show();cursor();
        """#
}
