// The script of the report's page. It writes what comes from a capture as text, never as markup, and asks no network.

extension ReportPage {
    /// The script.
    static let script = #"""
        'use strict';
        const D=JSON.parse(document.getElementById('data').textContent),$=document.getElementById.bind(document);
        const make=(tag,cls,text)=>{const e=document.createElement(tag);if(cls)e.className=cls;
         if(text!==undefined)e.textContent=text;return e};
        const put=(into,...all)=>{for(const e of all)into.append(e);return into};
        const N=Math.max(1,D.duration),buckets=Math.floor(N/D.bucket)+1;
        const sec=ms=>(ms/1000).toFixed(ms<1e5?2:1)+' s';
        const short=ms=>(ms/1000).toFixed(N<20000?1:0)+' s';
        const big=n=>n>=1e9?(n/1e9).toFixed(2)+' G':n>=1e6?(n/1e6).toFixed(1)+' M':n>=1e4?(n/1e3).toFixed(1)+' k':n+' ';
        const count=n=>big(n).trim();
        const order=new Map(D.peers.map((p,i)=>[p.id,i]));
        const hue=id=>((order.get(id)??id)*137.5+160)%360;
        const colour=id=>`hsl(${hue(id)} var(--sat) var(--bar))`;
        const tip=$('tip');
        function tell(e,text){if(!text){tip.style.display='none';return}
         tip.textContent=text;tip.style.display='block';
         tip.style.left=Math.max(4,Math.min(e.clientX+12,innerWidth-tip.offsetWidth-8))+'px';
         tip.style.top=Math.min(e.clientY+14,innerHeight-tip.offsetHeight-8)+'px'}
        function lane(cls,say){const l=make('div','lane '+(cls||''));
         const at=e=>{const r=l.getBoundingClientRect();return Math.max(0,Math.min(N,(e.clientX-r.left)/r.width*N))};
         l.onmousemove=e=>tell(e,say(at(e)));l.onmouseleave=e=>tell(e,'');
         l.onclick=e=>{const t=at(e),w=Math.max(D.bucket,N/60);filter.from=t-w;filter.to=t+w;show();
          $('decisions').scrollIntoView({behavior:'smooth'})};
         return l}
        function row(name,l,title){const n=make('div','name',name);if(title)n.title=title;
         return put(make('div','row'),n,l)}
        function axis(){const l=make('div','lane axis'),k=innerWidth<620?4:8;
         for(let i=0;i<=k;i++){const t=make('span','tick',short(N*i/k));t.style.left=i/k*100+'%';l.append(t)}
         return row('',l)}
        const value=(list,t)=>list[Math.min(list.length-1,Math.floor(t/D.bucket))];
        const called=id=>'peer '+id;
        function facts(){
         $('title').textContent=D.title;document.title=D.title+' replayed';
         const b=$('badge'),v=D.verdict.kind;
         b.textContent=v==='identical'?'identical':v==='different'?'different':'nothing recorded to compare with';
         b.className='badge '+(v==='identical'?'good':v==='different'?'bad':'warn');
         const s=D.summary,list=[[sec(N),'of media'],[count(s.rtpIn),'RTP packets in'],
          [count(s.rtpOut),'RTP packets out'],[count(s.rtcpIn)+' / '+count(s.rtcpOut),'RTCP in / out'],
          [big(s.bytesIn)+'B','in'],[big(s.bytesOut)+'B','out'],
          [count(s.decisions),'decisions'],[count(s.compared),'compared outputs']];
         if(s.gaps||s.skipped)list.push([s.gaps+' / '+count(s.skipped),'gaps / inputs left out']);
         for(const[a,c]of list)put($('facts'),put(make('div'),make('b','',a),make('span','',c)));
         $('origin').textContent=[D.recordedBy?'recorded by '+D.recordedBy:'','replayed by '+D.replayedBy,
          D.seed?'seed '+D.seed:'','0 s is '+D.start+' s on the server’s clock'].filter(Boolean).join(' · ');
         $('digest').textContent=D.digest}
        function table(head,rows,numeric=[],times=[]){const t=make('table'),h=make('tr');
         head.forEach((c,i)=>h.append(make('th',numeric.includes(i)?'n':'',c)));t.append(put(make('thead'),h));
         const b=make('tbody');for(const r of rows){const tr=make('tr');
          r.forEach((c,i)=>tr.append(make('td',numeric.includes(i)?'n':times.includes(i)?'t':'',c)));b.append(tr)}
         t.append(b);return put(make('div','scroll'),t)}
        function difference(){const v=D.verdict;if(v.kind!=='different')return;
         const c=$('difference');c.hidden=false;
         put(c,make('h2','bad','The first difference'),
          make('p','','Event '+v.index+', at '+v.at+' s, after '+v.before+'.'),
          table(['','recorded','replayed'],[['',v.recorded,v.replayed],...v.fields]));
         if(v.nearby.length)put(c,make('p','soft small','Decisions of the replay nearby'),
          table(['time','decision'],v.nearby.map(r=>[r[0]+' s',r[1]]),[],[0]))}
        function whatIf(){const w=D.whatIf;if(!w)return;const c=$('whatif');c.hidden=false;
         put(c,make('h2','','What if: '+w.changes),make('p','warn',w.note),
          table(['','as recorded','with the change','difference'],w.counts.map(r=>[r[0],r[1],r[2],
           r[1]===r[2]?'':(r[2]>r[1]?'+':'−')+Math.abs(r[2]-r[1])]),[1,2,3]),
          make('p','soft small',w.differences+' decisions were taken in one run only; the first of them:'),
          table(['','time','decision'],w.first.map(r=>[r[0],r[1]+' s',r[2]]),[],[1]))}
        function bars(list,tall,fill,height){const c=make('canvas');c.width=buckets;c.height=tall;
         const g=c.getContext('2d');g.fillStyle=fill;
         list.forEach((x,i)=>{const h=height(x);if(h>0)g.fillRect(i,tall-h,1,h)});return c}
        function speech(){const box=$('speech'),talkers=D.peers.filter(p=>p.levels.some(l=>l<127));
         if(!talkers.length){put(box,make('p','soft','No packet carried an audio level.'));return}
         const loud=p=>p.levels.reduce((n,l)=>n+(l<60?1:0),0);
         const shown=talkers.slice().sort((a,b)=>loud(b)-loud(a)||a.id-b.id).slice(0,16);
         for(const p of shown){
          const l=lane('',t=>{const x=value(p.levels,t);return called(p.id)+' at '+sec(t)+': '+
           (x===undefined||x===255?'nothing sent':x===127?'silence':'−'+x+' dBov')});
          l.append(bars(p.levels,18,`hsl(${hue(p.id)} 50% 48%)`,x=>x<127?Math.max(1,Math.round((1-x/90)*18)):0));
          box.append(row(called(p.id),l,p.publishes))}
         box.append(axis());
         if(talkers.length>shown.length)put(box,make('p','soft small',
          (talkers.length-shown.length)+' more, who were more often silent, are not drawn.'))}
        function chart(list,scale,say){const l=lane('chart',say),ns='http://www.w3.org/2000/svg';
         let top=0;for(const x of list)if(x>top)top=x;
         const svg=document.createElementNS(ns,'svg');svg.setAttribute('viewBox','0 0 '+buckets+' 100');
         svg.setAttribute('preserveAspectRatio','none');
         const p=document.createElementNS(ns,'path');let d='',pen=false;
         list.forEach((x,i)=>{if(x<0)return;const y=top>0?94-x/top*66:94;
          d+=(pen?'L':'M')+(i+.5)+' '+y.toFixed(1);pen=true});
         for(const[k,v]of[['d',d],['fill','none'],['stroke','var(--accent)'],['stroke-width','1.5'],
          ['vector-effect','non-scaling-stroke']])p.setAttribute(k,v);
         svg.append(p);return put(l,svg,make('span','top-value',scale(top)))}
        function slotLane(s,left){
         const find=t=>s.spans.find(x=>t>=x[0]&&t<(x[1]<0?left:x[1]));
         const l=lane(s.kind,t=>{const x=find(t);if(!x)return sec(t)+': nothing yet';
          return sec(t)+': '+(x[2]<0?'nothing':called(x[2])+'’s '+x[3])+
           (x[4]>=0&&s.kind==='video'?', layer '+x[4]:'')+': '+x[6]});
         for(const x of s.spans){if(x[2]<0)continue;
          const end=x[1]<0?left:x[1],e=make('div','span'+(x[5]?' wait':''));
          e.style.left=x[0]/N*100+'%';e.style.width=Math.max(0,(end-x[0])/N*100)+'%';
          e.style.backgroundColor=colour(x[2]);
          if((end-x[0])/N>.04)e.textContent=x[2]+(s.kind==='video'&&x[4]>0?' · layer '+x[4]:'');
          l.append(e)}
         return l}
        function receiver(p,d){if(d.dataset.drawn)return;d.dataset.drawn='1';
         const left=p.left===null?N:p.left,bits=x=>big(Math.round(x*8000/D.bucket))+'bit/s';
         for(const s of p.slots)d.append(row(s.mid,slotLane(s,left),s.kind));
         if(p.to.length)d.append(row('sent',chart(p.to,bits,
          t=>sec(t)+': '+bits(value(p.to,t)||0)+' to '+called(p.id))));
         if(p.loss.some(x=>x>0))d.append(row('loss',chart(p.loss,x=>(x/10).toFixed(1)+' %',
          t=>{const x=value(p.loss,t);return sec(t)+': '+(x>=0?(x/10).toFixed(1)+' % lost, as reported':
           'no report')})));
         if(p.rtt.some(x=>x>=0))d.append(row('rtt',chart(p.rtt,x=>(x/10).toFixed(1)+' ms',
          t=>{const x=value(p.rtt,t);return sec(t)+': '+(x>=0?(x/10).toFixed(1)+' ms':'not measured')})));
         d.append(axis())}
        function receivers(){const box=$('receivers');
         if(D.peers.length>8)box.className='many';
         D.peers.forEach((p,i)=>{const d=make('details'),s=make('summary'),dot=make('span','dot');
          dot.style.background=colour(p.id);
          const bytes=p.to.reduce((a,b)=>a+b,0),span=(p.left===null?N:p.left)-p.joined,worst=Math.max(0,...p.loss);
          put(s,dot,called(p.id)+' ',make('span','soft',
           [D.peers.length>8?p.publishes:'publishes '+(p.publishes||'nothing'),p.slots.length+' slots',
            span>0?'on average '+big(Math.round(bytes*8000/span))+'bit/s':'',
            worst>0?'up to '+(worst/10).toFixed(1)+' % lost':''].filter(Boolean).join(' · ')));
          d.append(s);d.ontoggle=()=>{if(d.open)receiver(p,d)};box.append(d);
          if(i<3){d.open=true;receiver(p,d)}})}
        function drops(){const box=$('drops');
         if(!D.drops.length){put(box,make('p','soft','Nothing was dropped.'));return}
         for(const r of D.drops.slice().sort((a,b)=>b.total-a.total)){
          let top=1;for(const x of r.over)if(x>top)top=x;
          const l=lane('',t=>sec(t)+': '+(value(r.over,t)||0)+' '+r.name);
          l.append(bars(r.over,18,'hsl(20 60% 50%)',x=>x>0?Math.max(2,x/top*18):0));
          const n=put(make('div','small'),make('b','',count(r.total)),' '+r.name);
          n.style.margin='6px 0 2px';put(box,n,l)}
         const a=axis();a.className='row wide';a.firstChild.remove();box.append(a)}
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
         for(const l of found.slice(0,f.limit)){const r=make('div','line');r.title='event '+l[1];
          put(r,make('span','t',sec(l[0])),make('span','k',l[2]),make('span','x',l[4]));out.append(r)}
         $('count').textContent=count(found.length)+' of '+count(D.lines.length)+
          (D.leftOut?' (and '+count(D.leftOut)+' later ones that this page does not hold)':'')+
          (f.to>=0?', between '+sec(Math.max(0,f.from))+' and '+sec(f.to):'');
         $('clear').hidden=!(f.kinds.size||f.peer||f.text||f.to>=0);
         $('more').hidden=found.length<=f.limit}
        facts();difference();whatIf();speech();receivers();drops();filters();show();
        """#
}
